import { equalBytes, verifyCose } from '../advertisement/cose-sign1.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupAccess } from '../group/group-access.ts';
import { type PeerId, peerIdFromBytes } from '../id/peer-id.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { ResolverAnswer } from './resolver.ts';
import { ANSWER, ANSWER_DOMAIN, decodeAnswer } from './resolver-codec.ts';
import { MAX_ANSWERS, MAX_ANSWERS_OF_RESPONDER } from './resolver-defaults.ts';

/** An answer that its responder signed for the query at hand. */
export interface CheckedAnswer extends ResolverAnswer {
  readonly encoded: Uint8Array;
}

/**
 * Checks the answers to one propagated query. The origin and each hop on the way do: so a neighbour that sends what does
 * not verify is itself to blame, and can do no more than leave answers out.
 */
export class AnswerCheck {
  readonly #crypto: Crypto;
  readonly #access: GroupAccess;
  readonly #queryId: Uint8Array;
  readonly #responders = new Map<PeerId, Set<number>>();
  #taken = 0;

  constructor(crypto: Crypto, access: GroupAccess, queryId: Uint8Array) {
    this.#crypto = crypto;
    this.#access = access;
    this.#queryId = queryId;
  }

  /** Whether no more are taken. */
  get full(): boolean {
    return this.#taken >= MAX_ANSWERS;
  }

  /**
   * Undefined for one that came before, or whose responder did not first show its credential. Throws `malformed`,
   * `too-large` or `forged`, which the sender could have known; or what the group says to the responder's credential.
   */
  take(encoded: Uint8Array): CheckedAnswer | undefined {
    const { queryId, number, body, credential, cose } = decodeAnswer(encoded);
    if (!equalBytes(queryId, this.#queryId) || number >= MAX_ANSWERS_OF_RESPONDER) {
      throw new PipevineError('forged', `${ANSWER} is for another query, or beyond the last number; it is dropped.`);
    }
    const from = peerIdFromBytes(cose.signer);
    let numbers = this.#responders.get(from);
    if (numbers?.has(number) || (numbers === undefined && credential === undefined)) return undefined;
    verifyCose(this.#crypto, ANSWER_DOMAIN, cose, ANSWER);
    if (numbers === undefined) {
      this.#access.verify(from, credential ?? new Uint8Array(0));
      numbers = new Set();
      this.#responders.set(from, numbers);
    }
    numbers.add(number);
    this.#taken++;
    return { from, body, encoded };
  }
}
