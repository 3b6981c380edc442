/** Seals plaintext into records for one connection and opens what comes: what differs between streams and datagrams. */
export interface RecordPort {
  readonly ordered: boolean;
  /** Largest plaintext of one record. */
  readonly maxPlaintextBytes: number;
  /** Seals one record and keeps it until `transmit`. `plaintext` may be reused afterwards. */
  seal(plaintext: Uint8Array): void;
  /** Hands all sealed records to the connection. Returns false when the caller should wait for `onWritable`. */
  transmit(): boolean;
  /** Bytes that `transmit` has handed over since the link came up. */
  readonly bytesOut: number;
  /** Opens one record. Undefined when it is to be dropped; throws when the connection is beyond repair. */
  open(record: Uint8Array): Uint8Array | undefined;
  /** Whether the sending key has served its time and REKEY should end the next record. */
  keyIsWorn(nowMs: number): boolean;
  /** The record sealed last ended with REKEY: go on with the next key. */
  rekeySend(nowMs: number): void;
  /** The record opened last ended with REKEY. Throws `protocol` where there is no such thing. */
  rekeyReceive(): void;
}
