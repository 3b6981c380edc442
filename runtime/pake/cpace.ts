import { PipevineError } from '../error/pipevine-error.ts';
import { type GroupId, groupIdToBytes } from '../id/group-id.ts';
import { type PeerId, peerIdToBytes } from '../id/peer-id.ts';
import type { AgreementKey, Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import { type CpaceMessage, calculateGenerator, confirmationTag, lengthValue, sessionKey } from './cpace-suite.ts';

const MIN_SESSION_ID_BYTES = 16;
const KEY_BYTES = 32;
const NONE = new Uint8Array(0);

const encoder = new TextEncoder();
const DOMAIN = encoder.encode('pipevine/1 password');
const KEY_INFO = encoder.encode('pipevine/1 password key');
const INITIATOR = encoder.encode('initiator');
const RESPONDER = encoder.encode('responder');

export interface CpaceInit {
  readonly crypto: Crypto;
  readonly random: Random;
  /** What both sides share: the password stretched (`Crypto.stretch`), never the password itself. */
  readonly password: Uint8Array;
  readonly initiator: PeerId;
  readonly responder: PeerId;
  readonly group: GroupId;
  /** Names this exchange, 16 bytes or more: both sides' nonces, one after the other. */
  readonly sessionId: Uint8Array;
}

/**
 * The side that speaks first: sends `share`, and gets the responder's share and tag. One object is one attempt.
 * Throws `invalid-argument` for a session id that is too short.
 */
export class CpaceInitiator {
  /** 32 bytes, to be sent. */
  readonly share: Uint8Array;
  readonly #init: CpaceInit;
  #scalar: AgreementKey | undefined;

  constructor(init: CpaceInit) {
    this.#init = init;
    const { scalar, share } = newShare(init);
    this.#scalar = scalar;
    this.share = share;
  }

  /**
   * Checks that the responder knows the password; returns the tag to send and the common key, 32 bytes. Throws
   * `malformed` or `refused`; whatever happens, a second call is `closed`.
   */
  finish(responderShare: Uint8Array, responderTag: Uint8Array): { tag: Uint8Array; key: Uint8Array } {
    const scalar = this.#scalar;
    // A second answer to the same share would be a second guess.
    this.#scalar = undefined;
    if (scalar === undefined) throw alreadyUsed();
    const { crypto, sessionId } = this.#init;
    const mine: CpaceMessage = { share: this.share, associatedData: INITIATOR };
    const theirs: CpaceMessage = { share: responderShare, associatedData: RESPONDER };
    const intermediate = sessionKey(crypto, scalar, responderShare, sessionId, mine, theirs);
    checkTag(crypto, confirmationTag(crypto, intermediate, sessionId, theirs), responderTag);
    return {
      tag: confirmationTag(crypto, intermediate, sessionId, mine),
      key: commonKey(crypto, intermediate),
    };
  }
}

/**
 * The side that answers: takes the initiator's share, sends `share` and `tag`, and believes the initiator's tag only.
 * Throws `malformed` or `refused` for a bad share, `invalid-argument` for a session id that is too short.
 */
export class CpaceResponder {
  /** 32 bytes, to be sent. */
  readonly share: Uint8Array;
  /** 64 bytes, to be sent with the share: it tells an initiator without the password nothing that it could test offline. */
  readonly tag: Uint8Array;
  readonly #crypto: Crypto;
  #expected: { readonly tag: Uint8Array; readonly key: Uint8Array } | undefined;

  constructor(init: CpaceInit, initiatorShare: Uint8Array) {
    const { crypto, sessionId } = init;
    const { scalar, share } = newShare(init);
    const mine: CpaceMessage = { share, associatedData: RESPONDER };
    const theirs: CpaceMessage = { share: initiatorShare, associatedData: INITIATOR };
    const intermediate = sessionKey(crypto, scalar, initiatorShare, sessionId, theirs, mine);
    this.share = share;
    this.tag = confirmationTag(crypto, intermediate, sessionId, mine);
    this.#crypto = crypto;
    this.#expected = {
      tag: confirmationTag(crypto, intermediate, sessionId, theirs),
      key: commonKey(crypto, intermediate),
    };
  }

  /**
   * Checks that the initiator knows the password; returns the common key, 32 bytes. Throws `refused`; whatever happens, a
   * second call is `closed`.
   */
  confirm(initiatorTag: Uint8Array): { key: Uint8Array } {
    const expected = this.#expected;
    this.#expected = undefined;
    if (expected === undefined) throw alreadyUsed();
    checkTag(this.#crypto, expected.tag, initiatorTag);
    return { key: expected.key };
  }
}

function newShare(init: CpaceInit): { scalar: AgreementKey; share: Uint8Array } {
  if (init.sessionId.length < MIN_SESSION_ID_BYTES) {
    throw new PipevineError(
      'invalid-argument',
      `A CPace session id has ${MIN_SESSION_ID_BYTES} bytes or more, not ${init.sessionId.length}.`,
    );
  }
  const channel = lengthValue(
    DOMAIN,
    groupIdToBytes(init.group),
    peerIdToBytes(init.initiator),
    peerIdToBytes(init.responder),
  );
  const scalar = init.crypto.agreementKey(init.random.bytes(32));
  const share = scalar.agree(calculateGenerator(init.crypto, init.password, channel, init.sessionId));
  if (share === undefined) throw new PipevineError('internal', 'The CPace generator has a small order; try again.');
  return { scalar, share };
}

function commonKey(crypto: Crypto, intermediate: Uint8Array): Uint8Array {
  return crypto.hkdfSha256(intermediate, NONE, KEY_INFO, KEY_BYTES);
}

function checkTag(crypto: Crypto, expected: Uint8Array, tag: Uint8Array): void {
  if (crypto.equalConstantTime(expected, tag)) return;
  throw new PipevineError('refused', 'The password is wrong, or the other peer does not know it.');
}

function alreadyUsed(): PipevineError {
  return new PipevineError('closed', 'This exchange is over: begin another with fresh nonces for another attempt.');
}
