import { CipherState } from '../link/cipher-state.ts';
import type { SessionCiphers } from '../link/noise-handshake.ts';
import { ReplayWindow } from '../link/replay-window.ts';
import type { Crypto } from '../platform/crypto.ts';
import { joinBytes } from '../wire/join-bytes.ts';
import { SESSION_EPOCH_PAYLOADS, UNICAST_REPLAY_WINDOW } from './pipe-defaults.ts';

/** A cipher's number that no payload ever has: from it each side derives the key of its resumption proofs. */
const RESUMPTION_NUMBER = Number.MAX_SAFE_INTEGER - 1;

/** The same for the keys of sealed acknowledgements. */
const REPORT_NUMBER = Number.MAX_SAFE_INTEGER - 2;

/** Bytes of the number before a sealed acknowledgement. */
const NUMBER_BYTES = 8;

const RESUME_DOMAIN = new TextEncoder().encode('pipevine/1 pipe resume');

/** Says that a resumption is the same peer's: what it covers besides the pipe. */
export interface ResumeClaim {
  readonly pipe: Uint8Array;
  /** How often the binder has bound this pipe; never the same twice, so that an old proof is worth nothing. */
  readonly counter: number;
  readonly next: number;
  readonly limit: number;
}

/**
 * A pipe's own session, end to end. Payloads are numbered from 0 in each direction; the number is the nonce. Where the
 * link may lose or reorder and the pipe does not repair it (unicast), the number comes with the frame.
 *
 * The key of epoch n, which holds the numbers from n x SESSION_EPOCH_PAYLOADS on, is REKEY applied n times.
 */
export class PipeSession {
  readonly #crypto: Crypto;
  readonly #sendProofKey: Uint8Array;
  readonly #receiveProofKey: Uint8Array;
  readonly #sendReports: CipherState;
  readonly #receiveReports: CipherState;
  #reportsSent = 0;
  /** Number of the last acknowledgement that counted. */
  #lastReport = -1;
  readonly #window = new ReplayWindow(UNICAST_REPLAY_WINDOW);
  #send: CipherState;
  #sent = 0;
  #receive: CipherState;
  #receiveEpoch = 0;
  /** The key before, for what was overtaken by the change. */
  #previous: CipherState | undefined;
  #received = 0;

  constructor(crypto: Crypto, ciphers: SessionCiphers) {
    this.#crypto = crypto;
    this.#send = ciphers.send;
    this.#receive = ciphers.receive;
    this.#sendProofKey = keyAt(ciphers.send, RESUMPTION_NUMBER);
    this.#receiveProofKey = keyAt(ciphers.receive, RESUMPTION_NUMBER);
    this.#sendReports = new CipherState(crypto, keyAt(ciphers.send, REPORT_NUMBER));
    this.#receiveReports = new CipherState(crypto, keyAt(ciphers.receive, REPORT_NUMBER));
  }

  /** Number of the payload that is sealed next. */
  get sent(): number {
    return this.#sent;
  }

  seal(plaintext: Uint8Array): Uint8Array {
    if (this.#sent > 0 && this.#sent % SESSION_EPOCH_PAYLOADS === 0) this.#send = this.#send.rekeyed();
    return this.#send.sealAt(this.#sent++, plaintext);
  }

  /** Opens the next payload of a pipe that keeps order; undefined when it does not authenticate. */
  open(sealed: Uint8Array): Uint8Array | undefined {
    const plaintext = this.#openAt(this.#received, sealed);
    if (plaintext !== undefined) this.#received++;
    return plaintext;
  }

  /** Opens a payload that came with its number; undefined when it does not authenticate, or came before. */
  openNumbered(number: number, sealed: Uint8Array): Uint8Array | undefined {
    if (!this.#window.isFresh(number)) return undefined;
    const plaintext = this.#openAt(number, sealed);
    return plaintext !== undefined && this.#window.accept(number) ? plaintext : undefined;
  }

  /** Seals an acknowledgement: its number, 8 bytes big-endian, and the ciphertext. */
  sealReport(plaintext: Uint8Array): Uint8Array {
    const number = this.#reportsSent++;
    const sealed = this.#sendReports.sealAt(number, plaintext);
    const bytes = new Uint8Array(NUMBER_BYTES + sealed.length);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(number));
    bytes.set(sealed, NUMBER_BYTES);
    return bytes;
  }

  /** Opens an acknowledgement that is newer than all before; undefined when it is older, or does not authenticate. */
  openReport(bytes: Uint8Array): Uint8Array | undefined {
    if (bytes.length < NUMBER_BYTES) return undefined;
    const number = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0));
    if (!(number > this.#lastReport && number < REPORT_NUMBER)) return undefined;
    const plaintext = this.#receiveReports.openAt(number, bytes.subarray(NUMBER_BYTES));
    if (plaintext !== undefined) this.#lastReport = number;
    return plaintext;
  }

  /** Proof that this side holds the session. */
  proof(claim: ResumeClaim): Uint8Array {
    return this.#crypto.hmacSha256(this.#sendProofKey, encodeClaim(claim));
  }

  /** Whether the other side proved that it holds the session. */
  isProof(claim: ResumeClaim, proof: Uint8Array): boolean {
    return this.#crypto.equalConstantTime(this.#crypto.hmacSha256(this.#receiveProofKey, encodeClaim(claim)), proof);
  }

  #openAt(number: number, sealed: Uint8Array): Uint8Array | undefined {
    const ahead = Math.floor(number / SESSION_EPOCH_PAYLOADS) - this.#receiveEpoch;
    if (ahead === 0) return this.#receive.openAt(number, sealed);
    if (ahead === -1) return this.#previous?.openAt(number, sealed);
    if (ahead !== 1) return undefined;
    const next = this.#receive.rekeyed();
    const plaintext = next.openAt(number, sealed);
    if (plaintext !== undefined) {
      this.#previous = this.#receive;
      this.#receive = next;
      this.#receiveEpoch++;
    }
    return plaintext;
  }
}

/** A key that is derived from a direction's first one. */
function keyAt(cipher: CipherState, number: number): Uint8Array {
  return cipher.sealAt(number, new Uint8Array(32)).slice(0, 32);
}

/** Domain, pipe, then three unsigned 64-bit integers, big-endian. */
function encodeClaim(claim: ResumeClaim): Uint8Array {
  const numbers = new Uint8Array(24);
  const view = new DataView(numbers.buffer);
  view.setBigUint64(0, BigInt(claim.counter));
  view.setBigUint64(8, BigInt(claim.next));
  view.setBigUint64(16, BigInt(claim.limit));
  return joinBytes([RESUME_DOMAIN, claim.pipe, numbers]);
}
