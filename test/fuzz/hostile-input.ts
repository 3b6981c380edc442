import { type CborValue, decodeStrict, encodeCanonical } from '@pipevine/runtime/protocol';
import type { SeededRandom } from '@pipevine/transports';

/** Heads that promise far more than follows: arrays, maps, byte and text strings of 2^32 - 1 and of 2^53 - 1 members. */
const HUGE_HEADS = [0x9a, 0xba, 0x5a, 0x7a].flatMap((head) => [
  [head, 0xff, 0xff, 0xff, 0xff],
  [head + 1, 0x00, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
]);
const HUGE_BYTES = 80_000;

/** Anything at all: short and long, and long runs of what opens arrays and maps. */
export function* randomInputs(random: SeededRandom, count: number): Generator<Uint8Array> {
  yield new Uint8Array(0);
  for (const head of [0x00, 0x81, 0x9f, 0xa1, 0xd2, 0xff]) {
    yield new Uint8Array(300).fill(head);
    yield new Uint8Array(HUGE_BYTES).fill(head);
  }
  for (let i = 0; i < count; i++) yield random.bytes(random.integer(200));
}

/** The valid one with one bit changed: each bit of a short one, and of a long one as many as `most`. */
export function* bitFlips(random: SeededRandom, valid: Uint8Array, most: number): Generator<Uint8Array> {
  const bits = valid.length * 8;
  for (let i = 0; i < Math.min(bits, most); i++) {
    const bit = bits <= most ? i : random.integer(bits);
    const flipped = valid.slice();
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    yield flipped;
  }
}

/** The valid one, cut off at every byte. */
export function* truncations(valid: Uint8Array): Generator<Uint8Array> {
  for (let end = 0; end < valid.length; end++) yield valid.subarray(0, end);
}

/** The valid one with a head of a huge count in the place of what is at a position, for up to `most` positions. */
export function* hugeCounts(random: SeededRandom, valid: Uint8Array, most: number): Generator<Uint8Array> {
  for (let i = 0; i < Math.min(valid.length, most); i++) {
    const at = valid.length <= most ? i : random.integer(valid.length);
    for (const head of HUGE_HEADS)
      yield Uint8Array.from([...valid.subarray(0, at), ...head, ...valid.subarray(at + 1)]);
  }
}

/** Well-formed CBOR of almost the right shape: a member is replaced, left out, doubled or put in. */
export function* misshapen(random: SeededRandom, valid: Uint8Array, count: number): Generator<Uint8Array> {
  const value = decodeStrict(valid, { allowedTags: [18] });
  for (let i = 0; i < count; i++) yield encodeCanonical(changed(random, value));
}

function changed(random: SeededRandom, value: CborValue): CborValue {
  const isLeaf = typeof value !== 'object' || value === null || value instanceof Uint8Array;
  if (isLeaf || random.integer(4) === 0) return hostileValue(random);
  if (value instanceof Map) {
    const entries = [...value] as [number, CborValue][]; // What our codecs write has integers for keys, or text.
    const at = random.integer(entries.length + 1);
    const entry = entries[at];
    if (entry === undefined) entries.push([random.integer(20), hostileValue(random)]);
    else if (random.integer(5) === 0) entries.splice(at, 1);
    else entries[at] = [entry[0], changed(random, entry[1])];
    return new Map(entries);
  }
  if (!Array.isArray(value)) return hostileValue(random);
  const members: CborValue[] = [...value];
  const at = random.integer(members.length + 1);
  const member = members[at];
  if (member === undefined) members.push(hostileValue(random));
  else if (random.integer(5) === 0) members.splice(at, random.integer(2), member, member);
  else members[at] = changed(random, member);
  return members;
}

function hostileValue(random: SeededRandom): CborValue {
  const values: readonly (() => CborValue)[] = [
    () => null,
    () => true,
    () => -1,
    () => random.integer(12),
    () => Number.MAX_SAFE_INTEGER,
    () => 2n ** 64n - 1n,
    () => -(2n ** 63n),
    () => 1.5,
    () => Number.NaN,
    () => Number.NEGATIVE_INFINITY,
    () => '',
    () => '__proto__',
    () => '*'.repeat(random.integer(2_000)),
    () => '\u{1f600}'.repeat(random.integer(200)),
    () => random.bytes([0, 1, 8, 16, 31, 32, 33, 64, 5_000][random.integer(9)] ?? 0),
    () => [],
    () => Array.from({ length: random.integer(1_200) }, () => 0),
    () => new Map(),
    () => new Map<string, CborValue>([['__proto__', []]]),
  ];
  return (values[random.integer(values.length)] ?? (() => null))();
}
