/**
 * The one frame of the hot path, written and read by hand. Big-endian.
 *
 * | bytes    | meaning                                                       |
 * |----------|---------------------------------------------------------------|
 * | 83 or 84 | array of 3, or of 4 with a sequence number                    |
 * | 00 or 01 | DATA, or DATA_MORE                                            |
 * | 1 to 5   | channel, an unsigned integer                                  |
 * | 1 to 3   | head of the payload, a byte string; then the payload          |
 * | 0 to 9   | sequence number, an unsigned integer                          |
 */
import { PipevineError } from '../error/pipevine-error.ts';
import { writeHead } from './byte-writer.ts';
import { MAX_CHANNEL } from './wire-defaults.ts';

/** Most bytes that a data frame in a record has beside its payload. */
export const MAX_DATA_OVERHEAD_BYTES = 19;

/**
 * Writes a data frame at `offset` of `target`, where `payload.length + MAX_DATA_OVERHEAD_BYTES` bytes are free; returns
 * the offset after it.
 */
export function writeDataFrame(
  target: Uint8Array,
  offset: number,
  channel: number,
  payload: Uint8Array,
  sequence: number | undefined,
  more: boolean,
): number {
  const length = payload.length;
  let at = offset;
  target[at++] = sequence === undefined ? 0x83 : 0x84;
  target[at++] = more ? 1 : 0;
  if (channel < 24) target[at++] = channel;
  else at = writeHead(target, at, 0, channel);
  if (length < 24) target[at++] = 0x40 | length;
  else if (length < 0x100) {
    target[at++] = 0x58;
    target[at++] = length;
  } else at = writeHead(target, at, 2, length);
  target.set(payload, at);
  at += length;
  return sequence === undefined ? at : writeHead(target, at, 0, sequence);
}

/** Takes a data frame's members; see LinkHandler.onData. */
export interface DataSink {
  onData(channel: number, payload: Uint8Array, sequence: number | undefined, more: boolean): void;
}

/** Whether a data frame starts at `offset`: nothing else begins with these two bytes. */
export function isDataFrame(record: Uint8Array, offset: number): boolean {
  const head = record[offset];
  const type = record[offset + 1];
  return (head === 0x83 || head === 0x84) && (type === 0 || type === 1);
}

/** Reads the data frame at `offset`, hands it to `sink` and returns the offset after it. Throws `malformed`. */
export function readDataFrame(record: Uint8Array, offset: number, sink: DataSink): number {
  let at = offset + 2;
  let channel = record[at] ?? 0xff;
  if (channel < 24) at++;
  else {
    channel = readUnsigned(record, at, 0, MAX_CHANNEL, 'channel');
    at += headBytes(record[at]);
  }
  let length = (record[at] ?? 0xff) ^ 0x40;
  if (length < 24) at++;
  else {
    length = readUnsigned(record, at, 2, 0xffff, 'payload');
    at += headBytes(record[at]);
  }
  const end = at + length;
  if (end > record.length) malformed(`its payload of ${length} bytes is cut short`);
  const payload = record.subarray(at, end);
  const more = record[offset + 1] === 1;
  if (record[offset] === 0x83) {
    sink.onData(channel, payload, undefined, more);
    return end;
  }
  const sequence = readUnsigned(record, end, 0, Number.MAX_SAFE_INTEGER, 'sequence number');
  const after = end + headBytes(record[end]);
  sink.onData(channel, payload, sequence, more);
  return after;
}

/** Length of the head that starts with this byte; the head is known to be valid. */
function headBytes(initial: number | undefined): number {
  const info = (initial ?? 0) & 31;
  return info < 24 ? 1 : 1 + (1 << (info - 24));
}

function readUnsigned(record: Uint8Array, at: number, major: number, max: number, what: string): number {
  const initial = record[at];
  if (initial === undefined) return malformed(`it is cut short before its ${what}`);
  const info = initial & 31;
  if (initial >> 5 !== major || info > 27) return malformed(`its ${what} is of a wrong type`);
  if (info < 24) return info;
  const size = 1 << (info - 24);
  if (at + size >= record.length) return malformed(`it is cut short in its ${what}`);
  let value = 0;
  for (let i = 1; i <= size; i++) value = value * 0x100 + (record[at + i] ?? 0);
  const smallest = size === 1 ? 24 : 2 ** (size * 4);
  if (value < smallest) return malformed(`its ${what} is not in its shortest form`);
  if (value > max) return malformed(`its ${what} is ${value}, more than ${max}`);
  return value;
}

function malformed(what: string): never {
  throw new PipevineError('malformed', `A DATA frame is malformed: ${what}.`);
}
