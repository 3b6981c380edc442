import { PipevineError } from '../error/pipevine-error.ts';
import type { Connection } from '../platform/transport.ts';
import type { CipherState } from './cipher-state.ts';
import { readRecordHeader, writeRecordHeader } from './datagram-packet.ts';
import {
  DATAGRAM_RECORD_OVERHEAD_BYTES,
  EPOCH_RECORDS,
  REKEY_AGE_MS,
  REPLAY_WINDOW_RECORDS,
  TAG_BYTES,
} from './link-defaults.ts';
import type { LinkSession } from './link-handshake.ts';
import type { RecordPort } from './record-port.ts';
import { ReplayWindow } from './replay-window.ts';

/**
 * Records of a datagram link: one packet each, `header with counter | ciphertext and tag`. The key of epoch n, which
 * holds the counters from n x EPOCH_RECORDS on, is REKEY applied n times to the session's key. A sender whose key is an
 * hour old goes on with the first counter of the next epoch.
 */
export class DatagramRecords implements RecordPort {
  readonly ordered = false;
  readonly maxPlaintextBytes: number;
  readonly #connection: Connection;
  readonly #epochRecords: number;
  readonly #window = new ReplayWindow(REPLAY_WINDOW_RECORDS);
  #send: CipherState;
  #sendEpoch = 0;
  #sendCounter = 0;
  #sentSinceMs: number | undefined;
  #receive: CipherState;
  #receiveEpoch = 0;
  /** The key before, for packets that were overtaken by the change. */
  #previous: CipherState | undefined;
  /** The key after, made once when a packet first claims its epoch. */
  #next: CipherState | undefined;
  #packets: Uint8Array[][] = [];
  #bytesOut = 0;

  constructor(connection: Connection, session: LinkSession, epochRecords: number = EPOCH_RECORDS) {
    this.#connection = connection;
    this.#epochRecords = epochRecords;
    this.#send = session.send;
    this.#receive = session.receive;
    const fitting = connection.maxPacketBytes - DATAGRAM_RECORD_OVERHEAD_BYTES;
    this.maxPlaintextBytes = Math.min(session.maxRecordBytes, fitting);
    if (this.maxPlaintextBytes < 64) {
      throw new PipevineError('unsupported', `Packets of ${connection.maxPacketBytes} bytes are too small for a link.`);
    }
  }

  get bytesOut(): number {
    return this.#bytesOut;
  }

  seal(plaintext: Uint8Array): void {
    const epoch = Math.floor(this.#sendCounter / this.#epochRecords);
    if (epoch > this.#sendEpoch) {
      this.#send = this.#send.rekeyed();
      this.#sendEpoch = epoch;
    }
    const header = writeRecordHeader(this.#sendCounter);
    const sealed = this.#send.sealAt(this.#sendCounter++, plaintext);
    this.#bytesOut += header.length + sealed.length;
    this.#packets.push([header, sealed]);
  }

  transmit(): boolean {
    const packets = this.#packets;
    this.#packets = [];
    let writable = true;
    for (const packet of packets) writable = this.#connection.write(packet);
    return writable;
  }

  /** Undefined for whatever does not authenticate, was seen before or is too old: anyone can send such packets. */
  open(packet: Uint8Array): Uint8Array | undefined {
    const header = readRecordHeader(packet);
    if (header === undefined || packet.length - header.length < TAG_BYTES) return undefined;
    const { counter } = header;
    if (!this.#window.isFresh(counter)) return undefined;
    const ahead = Math.floor(counter / this.#epochRecords) - this.#receiveEpoch;
    const cipher = this.#cipherOf(ahead);
    const plaintext = cipher?.openAt(counter, packet.subarray(header.length));
    if (cipher === undefined || plaintext === undefined || !this.#window.accept(counter)) return undefined;
    if (ahead === 1) {
      this.#previous = this.#receive;
      this.#receive = cipher;
      this.#receiveEpoch++;
      this.#next = undefined;
    }
    return plaintext;
  }

  /** The epoch follows from the counter, so no REKEY is ever sent; an aged key is left by skipping counters. */
  keyIsWorn(nowMs: number): boolean {
    this.#sentSinceMs ??= nowMs;
    if (nowMs - this.#sentSinceMs >= REKEY_AGE_MS) {
      this.#sentSinceMs = nowMs;
      this.#sendCounter = (this.#sendEpoch + 1) * this.#epochRecords;
    }
    return false;
  }

  rekeySend(): void {}

  rekeyReceive(): void {
    throw new PipevineError('protocol', 'REKEY came over a datagram link, where the counter decides on the key.');
  }

  #cipherOf(ahead: number): CipherState | undefined {
    if (ahead === 0) return this.#receive;
    if (ahead === -1) return this.#previous;
    if (ahead !== 1) return undefined;
    this.#next ??= this.#receive.rekeyed();
    return this.#next;
  }
}
