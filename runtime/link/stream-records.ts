import { PipevineError } from '../error/pipevine-error.ts';
import type { Connection } from '../platform/transport.ts';
import type { CipherState } from './cipher-state.ts';
import { REKEY_BYTES, REKEY_RECORDS, REKEY_TOLERANCE, TAG_BYTES } from './link-defaults.ts';
import type { LinkSession } from './link-handshake.ts';
import type { LinkLimits } from './link-limits.ts';
import type { RecordPort } from './record-port.ts';

/** How long a receiver bears with one key. */
export interface KeyWear {
  readonly records: number;
  readonly bytes: number;
}

const TOLERATED: KeyWear = { records: REKEY_RECORDS * REKEY_TOLERANCE, bytes: REKEY_BYTES * REKEY_TOLERANCE };

/** Records of a stream link: `u16 length (big-endian) | ciphertext and tag`, numbered implicitly from 0 in each direction. */
export class StreamRecords implements RecordPort {
  readonly ordered = true;
  readonly maxPlaintextBytes: number;
  readonly #connection: Connection;
  readonly #limits: LinkLimits;
  readonly #tolerated: KeyWear;
  readonly #send: CipherState;
  readonly #receive: CipherState;
  #sentRecords = 0;
  #sentBytes = 0;
  /** When the sending key was first used; undefined before. */
  #sentSinceMs: number | undefined;
  #receivedRecords = 0;
  #receivedBytes = 0;
  #chunks: Uint8Array[] = [];
  #bytesOut = 0;

  constructor(connection: Connection, session: LinkSession, limits: LinkLimits, tolerated: KeyWear = TOLERATED) {
    this.#connection = connection;
    this.#limits = limits;
    this.#tolerated = tolerated;
    this.#send = session.send;
    this.#receive = session.receive;
    this.maxPlaintextBytes = session.maxRecordBytes;
  }

  get bytesOut(): number {
    return this.#bytesOut;
  }

  seal(plaintext: Uint8Array): void {
    const [ciphertext, tag] = this.#send.sealInParts(plaintext);
    const sealedBytes = ciphertext.length + tag.length;
    this.#sentRecords++;
    this.#sentBytes += plaintext.length;
    this.#bytesOut += 2 + sealedBytes;
    const length = new Uint8Array(2);
    length[0] = sealedBytes >>> 8;
    length[1] = sealedBytes;
    this.#chunks.push(length, ciphertext, tag);
  }

  transmit(): boolean {
    const chunks = this.#chunks;
    this.#chunks = [];
    return this.#connection.write(chunks);
  }

  open(record: Uint8Array): Uint8Array {
    if (record.length < TAG_BYTES) {
      throw new PipevineError('malformed', `A record of ${record.length} bytes came; its tag alone has ${TAG_BYTES}.`);
    }
    this.#receivedRecords++;
    this.#receivedBytes += record.length;
    if (this.#receivedRecords > this.#tolerated.records || this.#receivedBytes > this.#tolerated.bytes) {
      throw new PipevineError(
        'protocol',
        `The peer sent ${this.#receivedRecords} records under one key; it must rekey after ${this.#tolerated.records} at the latest.`,
      );
    }
    const plaintext = this.#receive.open(record);
    if (plaintext === undefined) {
      throw new PipevineError(
        'forged',
        'A record does not authenticate: it was changed, repeated or left out on the way.',
      );
    }
    return plaintext;
  }

  keyIsWorn(nowMs: number): boolean {
    this.#sentSinceMs ??= nowMs;
    return (
      this.#sentRecords + 1 >= this.#limits.rekeyRecords ||
      this.#sentBytes >= this.#limits.rekeyBytes ||
      nowMs - this.#sentSinceMs >= this.#limits.rekeyAgeMs
    );
  }

  rekeySend(nowMs: number): void {
    this.#send.rekey();
    this.#sentRecords = 0;
    this.#sentBytes = 0;
    this.#sentSinceMs = nowMs;
  }

  rekeyReceive(): void {
    this.#receive.rekey();
    this.#receivedRecords = 0;
    this.#receivedBytes = 0;
  }
}
