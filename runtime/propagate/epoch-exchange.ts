import { LruCache } from '../bound/lru-cache.ts';
import { TokenBucket } from '../bound/token-bucket.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { checkCapability } from '../group/access.ts';
import type { Groups } from '../group/groups.ts';
import { readStatement } from '../group/statement-codec.ts';
import { groupIdToBytes } from '../id/group-id.ts';
import type { Identity } from '../id/identity.ts';
import type { PeerId } from '../id/peer-id.ts';
import { openMessage, sealMessage } from '../link/sealed-message.ts';
import type { Clock } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import type { GroupNeighbour, GroupResolver, ResolverContext } from '../resolver/resolver.ts';
import { joinBytes } from '../wire/join-bytes.ts';
import type { EpochKeys } from './epoch-keys.ts';
import { compareEpochs, type Epoch, type EpochView } from './epoch-view.ts';
import {
  decodeEpochAnswer,
  decodeEpochRequest,
  type EpochRequest,
  encodeEpochAnswer,
  encodeEpochRequest,
} from './propagate-codec.ts';
import {
  ANSWER_BURST,
  ANSWERS_PER_SECOND,
  ASK_HOLDERS_TIMEOUT_MS,
  ASK_TIMEOUT_MS,
  EPOCH_HANDLER,
  MAX_ANSWER_RATES,
  MAX_ASKED,
} from './propagate-defaults.ts';

const PROLOGUE = new TextEncoder().encode('pipevine/1 epoch key');

export interface EpochExchangeInit {
  readonly identity: Identity;
  readonly resolver: GroupResolver;
  readonly groups: Pick<Groups, 'receive' | 'verify'>;
  readonly view: EpochView;
  readonly keys: EpochKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly crypto: Crypto;
  /** Gets or makes a key, for another member that asks for one; rejects when this peer cannot. */
  readonly obtain: () => Promise<void>;
  readonly onKey: () => void;
}

/** Keys of epochs, from member to member. */
export class EpochExchange {
  readonly #init: EpochExchangeInit;
  readonly #rates = new LruCache<TokenBucket>(MAX_ANSWER_RATES);
  readonly #handler: { close(): void };
  #given = 0;
  #refused = 0;
  #bad = 0;

  /** Throws `busy` when the resolver has a handler `epoch`. */
  constructor(init: EpochExchangeInit) {
    this.#init = init;
    this.#handler = init.resolver.handle(EPOCH_HANDLER, (body, context) =>
      context.propagated ? this.#answers(body, context) : this.#answer(body, context),
    );
  }

  get counters() {
    return { given: this.#given, refused: this.#refused, bad: this.#bad };
  }

  /**
   * Asks neighbours for the key of the epoch that counts, then all members in reach; resolves to whether it is held now.
   * `likely`: who should have it.
   */
  async ask(holdersOnly: boolean, likely: readonly PeerId[], signal: AbortSignal): Promise<boolean> {
    const { identity, view, resolver } = this.#init;
    const { current: wanted } = view;
    const body = encodeEpochRequest({
      staticKey: identity.agreement.publicKey,
      holdersOnly,
      ...(wanted && { wanted }),
    });
    const timeoutMs = holdersOnly ? ASK_HOLDERS_TIMEOUT_MS : ASK_TIMEOUT_MS;
    const asked = this.#choose(likely).map(async (neighbour) => {
      const answer = await neighbour.request(EPOCH_HANDLER, body, { timeoutMs, signal });
      if (!(await this.#take(neighbour.peer, answer))) throw new PipevineError('not-found', 'Not the key.');
    });
    const found = await Promise.any(asked).then(
      () => true,
      () => false,
    );
    if (found || signal.aborted) return found;
    try {
      for await (const { from, body: answer } of resolver.query(EPOCH_HANDLER, body, { timeoutMs, signal })) {
        if (await this.#take(from, answer)) return true;
      }
    } catch (error) {
      // No right to ask, more questions than the resolver takes, or the end: there is no key now, and another time to ask.
      if (!(error instanceof PipevineError)) throw error;
    }
    return false;
  }

  close(): void {
    this.#handler.close();
  }

  #choose(likely: readonly PeerId[]): GroupNeighbour[] {
    const { resolver, random } = this.#init;
    const shuffled = [...resolver.neighbours()]
      .map((neighbour) => ({ neighbour, rank: likely.includes(neighbour.peer) ? -1 : random.fraction() }))
      .sort((a, b) => a.rank - b.rank);
    return shuffled.slice(0, MAX_ASKED).map(({ neighbour }) => neighbour);
  }

  async #answer(body: Uint8Array, context: ResolverContext): Promise<Uint8Array> {
    const answer = await this.#give(decodeEpochRequest(body), context);
    if (answer !== undefined) return answer;
    throw new PipevineError('not-found', 'This peer holds no such key.');
  }

  async *#answers(body: Uint8Array, context: ResolverContext): AsyncGenerator<Uint8Array> {
    const answer = await this.#give(decodeEpochRequest(body), context);
    if (answer !== undefined) yield answer;
  }

  async #give(request: EpochRequest, context: ResolverContext): Promise<Uint8Array | undefined> {
    const { groups, resolver, crypto, random, identity, obtain } = this.#init;
    const { remotePeer, credential } = context;
    checkCapability('read', 'the key of propagate pipes', remotePeer, credential);
    this.#checkRate(remotePeer);
    let epoch = this.#best(request);
    if (epoch === undefined && !request.holdersOnly) {
      await obtain().catch((error: unknown) => {
        if (!(error instanceof PipevineError)) throw error;
      });
      epoch = this.#best(request);
    }
    const key = epoch && this.#init.keys.key(epoch.keyId);
    if (epoch === undefined || key === undefined) return undefined;
    // A moment may have passed, in which it was revoked.
    groups.verify(resolver.group, remotePeer, credential.encoded);
    const prologue = this.#prologue(epoch);
    const init = { crypto, random, localStatic: identity.agreement, remoteStaticKey: request.staticKey, prologue };
    const sealedKey = sealMessage(init, key);
    this.#given++;
    return encodeEpochAnswer({ statement: epoch.statement.encoded, sealedKey });
  }

  /** The epoch that counts most of those whose key may be given; undefined when the asker wants a later one. */
  #best({ wanted }: EpochRequest): Epoch | undefined {
    const { view, keys } = this.#init;
    const best = view.all.find((epoch) => keys.has(epoch.keyId) && view.isInformed(epoch));
    return best !== undefined && wanted !== undefined && compareEpochs(best, wanted) < 0 ? undefined : best;
  }

  /** Whether an answer brought the key of the epoch that counts. */
  async #take(from: PeerId, body: Uint8Array): Promise<boolean> {
    const { groups, resolver, view, keys, crypto, random, identity, onKey } = this.#init;
    try {
      const { statement, sealedKey } = decodeEpochAnswer(body);
      const form = readStatement(statement);
      if (form.type !== 'epoch') throw new PipevineError('malformed', 'A key came with a statement of another type.');
      await groups.receive(resolver.group, statement, from);
      const epoch = view.all.find(({ statement: held }) => held.issuer === form.issuer);
      if (epoch === undefined) return false;
      const init = { crypto, random, localStatic: identity.agreement, prologue: this.#prologue(epoch) };
      const { plaintext } = openMessage(init, sealedKey);
      if (!crypto.equalConstantTime(crypto.sha256(plaintext), epoch.keyHash)) {
        throw new PipevineError('forged', 'A key came that is not the one that was announced.');
      }
      await keys.add(plaintext);
      onKey();
      return view.current !== undefined && keys.has(view.current.keyId);
    } catch (error) {
      if (!(error instanceof PipevineError)) throw error;
      this.#bad++;
      return false;
    }
  }

  #prologue({ keyHash }: Epoch): Uint8Array {
    return joinBytes([PROLOGUE, groupIdToBytes(this.#init.resolver.group), keyHash]);
  }

  #checkRate(peer: PeerId): void {
    const nowMs = this.#init.clock.monotonicMs();
    const rate = this.#rates.get(peer) ?? new TokenBucket(ANSWER_BURST, ANSWERS_PER_SECOND, nowMs);
    this.#rates.set(peer, rate, 1);
    if (rate.take(nowMs)) return;
    this.#refused++;
    throw new PipevineError('overloaded', 'Keys are asked for more often than they are given; ask again later.');
  }
}
