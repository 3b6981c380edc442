import { identityFromSeed, PipevineError } from '@pipevine/runtime';
import {
  decodeHandshakePacket,
  decodeStrict,
  encodeCanonical,
  type FrameSink,
  readFrames,
  readRecordHeader,
  verifyIdentityPayload,
} from '@pipevine/runtime/protocol';
import { nodeCrypto, seededRandom } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { CONTROL_VECTORS, DATA_VECTORS } from '../vectors/frame-vectors.ts';

const ALICE = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(0xa1));
const CASES = 6_000;
const random = seededRandom('wire fuzz');
const corpus = [...DATA_VECTORS, ...CONTROL_VECTORS].map((vector) => vector.bytes);
corpus.push(encodeCanonical([11, new Map([['x', [1.5, null, 'ü', 2n ** 60n]]])]));

/** One of the corpus, or several, changed in a few places, cut, doubled or mixed with another. */
function mutated(): Uint8Array {
  const pick = () => corpus[random.integer(corpus.length)] ?? new Uint8Array(0);
  let bytes = [...pick()];
  if (random.integer(3) === 0) bytes = [...bytes, ...pick()];
  for (let edits = random.integer(5); edits >= 0 && bytes.length > 0; edits--) {
    const at = random.integer(bytes.length);
    switch (random.integer(6)) {
      case 0:
        bytes[at] = random.integer(256);
        break;
      case 1:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random.integer(8));
        break;
      case 2:
        bytes.splice(at, random.integer(4));
        break;
      case 3:
        bytes.splice(at, 0, ...random.bytes(random.integer(4)));
        break;
      case 4:
        bytes = [...bytes.slice(0, at), ...pick().slice(random.integer(3))];
        break;
      default:
        bytes[at] = [0x1b, 0x3b, 0x5b, 0x7b, 0x9b, 0xbb, 0xdb, 0xff, 0x5f, 0x9f][random.integer(10)] ?? 0;
    }
  }
  return Uint8Array.from(bytes);
}

/** Runs and expects either a result or the one kind of error. */
function onlyPipevineErrors<T>(input: Uint8Array, run: (input: Uint8Array) => T): T | undefined {
  try {
    return run(input);
  } catch (error) {
    if (error instanceof PipevineError && (error.code === 'malformed' || error.code === 'too-large')) return undefined;
    throw new Error(`${Buffer.from(input).toString('hex')} led to ${String(error)}`, { cause: error });
  }
}

describe('whatever comes', () => {
  it('the strict decoder returns a value or one kind of error, and its values survive a round trip', () => {
    let taken = 0;
    for (let i = 0; i < CASES; i++) {
      const value = onlyPipevineErrors(mutated(), (input) => decodeStrict(input));
      if (value === undefined) continue;
      taken++;
      expect(decodeStrict(encodeCanonical(value))).toEqual(value);
    }
    // A fuzz whose inputs are all refused at the first byte shows nothing.
    expect(taken).toBeGreaterThan(CASES / 50);
  });

  it('the frame reader hands over well-formed frames or throws one kind of error', () => {
    let frames = 0;
    const sink: FrameSink = {
      stopped: false,
      onData(channel, payload, sequence) {
        frames++;
        expect(Number.isSafeInteger(channel) && channel >= 0 && channel <= 0xffff_ffff).toBe(true);
        expect(payload).toBeInstanceOf(Uint8Array);
        if (sequence !== undefined) expect(Number.isSafeInteger(sequence)).toBe(true);
      },
      onFrame(frame) {
        frames++;
        expect(frame.type).toBeGreaterThanOrEqual(2);
      },
      onUnsupportedBind() {},
      onUnknownFrame() {},
    };
    for (let i = 0; i < CASES; i++) onlyPipevineErrors(mutated(), (input) => readFrames(input, sink));
    expect(frames).toBeGreaterThan(CASES / 20);
  });

  it('packets of strangers are read or dropped, never an error', () => {
    for (let i = 0; i < CASES; i++) {
      const packet = random.bytes(random.integer(80));
      if (i % 2 === 0) packet[0] = [1, 2, 3, 4, 0x40, 0x47][random.integer(6)] ?? 0;
      decodeHandshakePacket(packet);
      readRecordHeader(packet);
    }
  });

  it('identity payloads are refused with one kind of error', () => {
    const accepted = new Set(['malformed', 'too-large', 'forged']);
    for (let i = 0; i < 500; i++) {
      const input = i % 2 === 0 ? mutated() : encodeCanonical(new Map([[random.integer(6), mutated()]]));
      let code = 'none';
      try {
        verifyIdentityPayload(nodeCrypto, input, ALICE.agreement.publicKey);
      } catch (error) {
        code = error instanceof PipevineError ? error.code : String(error);
      }
      expect(accepted).toContain(code);
    }
  });
});
