import { readFileSync } from 'node:fs';
import { identityFromSeed } from '@pipevine/runtime';
import {
  type CborInput,
  type ControlFrame,
  decodeStrict,
  encodeCanonical,
  encodeControlFrame,
  FrameType,
  MAX_ACK_RANGES,
  MAX_CHANNEL,
  MAX_CODE_CHARACTERS,
  MAX_CREDENTIAL_BYTES,
  MAX_NAME_BYTES,
  MAX_REASON_CHARACTERS,
  MAX_RECORD_PLAINTEXT_BYTES,
  MAX_SESSION_BYTES,
  makeIdentityPayload,
  readControlFrame,
} from '@pipevine/runtime/protocol';
import { nodeCrypto, SeededRandom } from '@pipevine/transports';
import { decode, decodeFirst } from 'cborg';
import { describe, expect, it } from 'vitest';
import { Cddl } from './cddl.ts';
import { CONTROL_VECTORS, DATA_VECTORS } from './frame-vectors.ts';

const ALICE = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(0xa1));
const source = readFileSync(new URL('../../docs/protocol/wire.cddl', import.meta.url), 'utf8');
const cddl = new Cddl(source);
/** An independent decoder, so that what is written here is CBOR for others too. */
const independently = (bytes: Uint8Array) => decode(bytes, { useMaps: true, strict: true });

describe('the CDDL', () => {
  it.each([...DATA_VECTORS, ...CONTROL_VECTORS])('describes $name', ({ bytes }) => {
    expect(cddl.matches('frame', independently(bytes))).toBe(true);
    expect(cddl.matches('unknown-frame', independently(bytes))).toBe(false);
  });

  it('has a rule for each frame type, under its name', () => {
    for (const [name, type] of Object.entries(FrameType)) {
      const rule = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
      expect(cddl.rules).toContain(rule);
      expect(source).toMatch(new RegExp(`^${rule}\\s*= \\[ ${type}\\b`, 'm'));
    }
  });

  it('describes the identity payload', () => {
    const payload = makeIdentityPayload(ALICE, {
      versions: [1],
      maxRecordBytes: MAX_RECORD_PLAINTEXT_BYTES,
      credential: new Uint8Array(100),
    });
    expect(cddl.matches('identity-payload', independently(payload))).toBe(true);
  });

  it('names the limits that the codec enforces', () => {
    expect(cddl.matches('channel', MAX_CHANNEL)).toBe(true);
    expect(cddl.matches('channel', MAX_CHANNEL + 1)).toBe(false);
    expect(cddl.matches('name', 'x'.repeat(MAX_NAME_BYTES))).toBe(true);
    expect(cddl.matches('name', 'x'.repeat(MAX_NAME_BYTES + 1))).toBe(false);
    expect(cddl.matches('code', 'x'.repeat(MAX_CODE_CHARACTERS + 1))).toBe(false);
    expect(cddl.matches('reason', '€'.repeat(MAX_REASON_CHARACTERS))).toBe(true);
    expect(cddl.matches('session', new Uint8Array(MAX_SESSION_BYTES + 1))).toBe(false);
    expect(cddl.matches('credential', new Uint8Array(MAX_CREDENTIAL_BYTES + 1))).toBe(false);
    const ranges = Array.from({ length: MAX_ACK_RANGES + 1 }, (_, i) => [i, i]);
    expect(cddl.matches('ranges', ranges.slice(1))).toBe(true);
    expect(cddl.matches('ranges', ranges)).toBe(false);
  });

  it.each<[string, CborInput]>([
    ['a frame without a type', []],
    ['a later frame', [11]],
    ['PING without a token', [7]],
    ['PING with too many members', [7, 1, 2]],
    ['PING with text', [7, 'x']],
    ['DATA with text', [0, 1, 'x']],
    ['BIND with an empty map', [3, 1, {}]],
    ['an ACK with an empty list of ranges', [2, 1, 2, 3, []]],
  ])('does not describe %s, and neither does the codec', (_, value) => {
    expect(cddl.matches('frame', independently(encodeCanonical(value)))).toBe(false);
    const read = () => readControlFrame(decodeStrict(encodeCanonical(value))) ?? 'unknown';
    let result: unknown = 'refused';
    try {
      result = read();
    } catch {
      // Refused, as it should be.
    }
    expect(['refused', 'unknown']).toContain(result);
  });
});

describe('codec and CDDL agree on random frames', () => {
  const random = new SeededRandom('cddl');
  const integer = () => [0, 1, 23, 24, 255, 65_536, 2 ** 32 - 1, random.integer(1_000)][random.integer(8)] ?? 0;
  const bytes = (length: number) => random.bytes(length);
  const makers: (() => ControlFrame)[] = [
    () => {
      const next = integer();
      const ranges = Array.from({ length: random.integer(4) }, (_, i) => [next + 5 * i + 2, next + 5 * i + 4] as const);
      return { type: 2, channel: integer(), next, limit: integer(), ranges };
    },
    () => ({
      type: 3,
      channel: integer(),
      pipe: bytes(16),
      target: bytes(32),
      source: bytes(32),
      group: bytes(32),
      name: 'ü'.repeat(random.integer(64)),
      kind: ([0, 1, 2, 3] as const)[random.integer(4)] ?? 0,
      security: random.integer(2) === 0 ? 0 : 1,
      next: integer(),
      limit: integer(),
      credential: bytes(random.integer(100)),
      session: bytes(random.integer(100)),
    }),
    () => ({
      type: 4,
      channel: integer(),
      ownChannel: integer(),
      next: integer(),
      limit: integer(),
      credential: bytes(random.integer(3)),
      session: bytes(random.integer(3)),
    }),
    () => ({ type: 5, channel: integer(), session: bytes(random.integer(300)) }),
    () => ({ type: 6, channel: integer(), code: 'refused', reason: '€'.repeat(random.integer(201)) }),
    () => ({ type: 7, token: integer() }),
    () => ({ type: 8, token: integer() }),
    () => ({ type: 10, code: 'done', reason: '' }),
  ];

  it('that the codec writes: the CDDL describes them, an independent decoder reads them, the codec reads them back', () => {
    for (let i = 0; i < 800; i++) {
      const frame = makers[i % makers.length]?.() ?? { type: 9 };
      const encoded = encodeControlFrame(frame);
      const [value, rest] = decodeFirst(encoded, { useMaps: true, strict: true });
      expect(rest).toHaveLength(0);
      expect(cddl.matches('frame', value)).toBe(true);
      expect(readControlFrame(decodeStrict(encoded))).toEqual(frame);
    }
  });
});
