import { PipevineError } from '../error/pipevine-error.ts';
import { readControlFrame } from './control-frame.ts';
import { type DataSink, isDataFrame, readDataFrame } from './data-frame.ts';
import { decodeScanned } from './decode.ts';
import { type ControlFrame, FrameType } from './frame.ts';
import { type ScanResult, scanItem } from './strict-scan.ts';
import { MAX_CONTAINERS_PER_RECORD, MAX_CONTROL_FRAMES_PER_RECORD } from './wire-defaults.ts';

/** Takes the frames of a record, one call a frame. */
export interface FrameSink extends DataSink {
  /** While true, no further frame is handed over: what is left of the record is dropped. */
  readonly stopped: boolean;
  onFrame(frame: ControlFrame): void;
  /** A BIND whose kind or protection is from a later version: to be answered on its channel, not an offence. */
  onUnsupportedBind(channel: number, reason: string): void;
  /** A frame of a later version, skipped. */
  onUnknownFrame(): void;
}

/**
 * Splits a record's plaintext into frames. Returns how many bytes it has read: all, unless the sink stopped it. Throws
 * `malformed` and `too-large`; the frames before the bad one have been handed over.
 */
export function readFrames(record: Uint8Array, sink: FrameSink): number {
  let at = 0;
  let controlFrames = 0;
  let containers = 0;
  while (at < record.length && !sink.stopped) {
    if (isDataFrame(record, at)) {
      at = readDataFrame(record, at, sink);
      continue;
    }
    if (++controlFrames > MAX_CONTROL_FRAMES_PER_RECORD) {
      throw new PipevineError('too-large', `A record has more than ${MAX_CONTROL_FRAMES_PER_RECORD} control frames.`);
    }
    const scan = scanOtherFrame(record, at);
    containers += scan.containers;
    if (containers > MAX_CONTAINERS_PER_RECORD) {
      throw new PipevineError(
        'too-large',
        `The frames of a record hold more than ${MAX_CONTAINERS_PER_RECORD} arrays.`,
      );
    }
    handOver(record, at, scan, sink);
    at = scan.end;
  }
  return at;
}

function scanOtherFrame(record: Uint8Array, start: number): ScanResult {
  const initial = record[start] ?? 0;
  if (initial >> 5 !== 4 || initial === 0x80) {
    throw new PipevineError('malformed', `A frame must be a CBOR array with a type; byte ${initial} came at ${start}.`);
  }
  return scanItem(record, start, record.length);
}

function handOver(record: Uint8Array, start: number, scan: ScanResult, sink: FrameSink): void {
  // Only an array of fewer than 24 members whose type is one byte can be a frame known here; others are not decoded.
  const isShort = (record[start] ?? 0) < 0x98;
  const type = record[start + 1] ?? 0;
  if (isShort && type >> 5 !== 0) {
    throw new PipevineError('malformed', `A frame must start with its type, an unsigned integer; byte ${type} came.`);
  }
  if (!isShort || type > FrameType.close) return sink.onUnknownFrame();
  const frame = readControlFrame(decodeScanned(record, start, scan));
  if (frame === undefined) sink.onUnknownFrame();
  else if (frame.type === 'unsupported') sink.onUnsupportedBind(frame.channel, frame.reason);
  else sink.onFrame(frame);
}
