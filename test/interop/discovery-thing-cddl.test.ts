/** What the discovery and thing codecs write is what docs/protocol says, as an independent decoder reads it. */
import { readFileSync } from 'node:fs';
import { SeededRandom } from '@pipevine/transports';
import { decode } from 'cborg';
import { describe, expect, it } from 'vitest';
import { ADVERTISEMENT_KINDS } from '../../runtime/advertisement/advertisement.ts';
import {
  decodeItem,
  decodeQuery,
  encodeItem,
  encodeQuery,
  type NeighbourQuery,
} from '../../runtime/discovery/discovery-codec.ts';
import { decodeLocalMessage, encodeLocalMessage } from '../../runtime/discovery/local-packet-codec.ts';
import { peerIdFromBytes } from '../../runtime/id/peer-id.ts';
import * as things from '../../runtime/thing/thing-codec.ts';
import type { JsonValue } from '../../runtime/thing/thing-description.ts';
import { type CborInput, encodeCanonical } from '../../runtime/wire/encode.ts';
import { Cddl } from '../vectors/cddl.ts';

const load = (name: string) => new Cddl(readFileSync(new URL(`../../docs/protocol/${name}`, import.meta.url), 'utf8'));
const discovery = load('discovery.cddl');
const thing = load('thing.cddl');
const random = new SeededRandom('discovery');
const read = (bytes: Uint8Array): unknown => decode(bytes, { useMaps: true, strict: true });
const some = <T>(max: number, one: (index: number) => T): T[] =>
  Array.from({ length: random.integer(max + 1) }, (_, i) => one(i));

function randomQuery(): NeighbourQuery {
  return {
    kind: ADVERTISEMENT_KINDS[random.integer(ADVERTISEMENT_KINDS.length)] ?? 'peer',
    limit: 1 + random.integer(50_000),
    watch: random.integer(2) === 0,
    proofs: random.integer(2) === 0,
    walk: random.integer(2) === 0,
    ...(random.integer(2) === 0 && { publisher: peerIdFromBytes(random.bytes(32)) }),
    ...(random.integer(2) === 0 && { key: 'k' }),
    ...(random.integer(2) === 0 && { name: 'K\u00fcche*' }),
    ...(random.integer(2) === 0 && { attributes: { connector: 'mqtt', type: '*' } }),
  };
}

function randomJson(depth = 4): JsonValue {
  switch (random.integer(depth === 0 ? 4 : 6)) {
    case 0:
      return null;
    case 1:
      return random.integer(2) === 0;
    case 2:
      return [0, -1, 1.5, 2 ** 45, 1e-9][random.integer(5)] ?? 0;
    case 3:
      return 'text \u{1f600}'.slice(0, random.integer(6));
    case 4:
      return some(4, () => randomJson(depth - 1));
    default:
      return Object.fromEntries(some(4, (i) => [`m${i}`, randomJson(depth - 1)]));
  }
}

describe('discovery.cddl', () => {
  it('describes every packet of the local network that is written', () => {
    for (let i = 0; i < 300; i++) {
      const bytes = encodeLocalMessage({
        type: (['announce', 'query', 'leaving'] as const)[random.integer(3)] ?? 'announce',
        peer: peerIdFromBytes(random.bytes(32)),
        addresses: some(12, (n) => `tcp://192.168.1.${n}:7473`),
        tags: some(64, () => random.bytes(8)),
        gateway: random.integer(2) === 0,
        admits: random.integer(2) === 0,
      });
      expect(discovery.matches('local-packet', read(bytes))).toBe(true);
    }
  });

  it('describes every query and item that is written, and they are read back', () => {
    for (let i = 0; i < 300; i++) {
      const query = randomQuery();
      expect(discovery.matches('query', read(encodeQuery(query)))).toBe(true);
      expect(decodeQuery(encodeQuery(query))).toEqual(query);
    }
    for (const item of [
      { type: 'end', complete: true },
      { type: 'advertisements', encoded: [random.bytes(300), random.bytes(1)] },
    ] as const) {
      expect(discovery.matches('item', read(encodeItem(item)))).toBe(true);
      expect(decodeItem(encodeItem(item))).toEqual(item);
    }
  });

  it('agrees with the codecs on what is a little wrong', () => {
    const id = random.bytes(32);
    const packets: CborInput[] = [
      ['pipevine', 1, 3, id, [], [], 0],
      ['pipevine', 1, 0, id.subarray(1), [], [], 0],
      ['pipevine', 1, 0, id, [], [], -1],
      ['pipevine', 1, 0, id, [1], [], 0],
      ['pipevine', 1, 0, id, [], [random.bytes(7)], 0],
      ['pipevine', 1, 0, id, [], [], 4, 'later'],
    ];
    for (const packet of packets) {
      const bytes = encodeCanonical(packet);
      expect(accepts(() => decodeLocalMessage(bytes))).toBe(discovery.matches('local-packet', read(bytes)));
    }
    const base: [number, CborInput][] = [
      [1, 3],
      [6, 10],
    ];
    const queries: [number, CborInput][][] = [
      base,
      [[1, 3]],
      [[6, 10]],
      [...base, [2, random.bytes(31)]],
      [...base, [4, 5]],
      [...base, [5, new Map([['a', 1]])]],
      [...base, [7, 1]],
      [...base, [8, true], [9, true]],
      [...base, [9, 1]],
      [...base, [10, 'later']],
      [
        [1, 3],
        [6, 0],
      ],
    ];
    for (const entries of queries) {
      const bytes = encodeCanonical(new Map(entries));
      expect(accepts(() => decodeQuery(bytes))).toBe(discovery.matches('query', read(bytes)));
    }
    for (const item of [
      [0, []],
      [0, [1]],
      [1, 1],
      [2, true],
      [0, [random.bytes(2)], 'later'],
    ] as CborInput[]) {
      const bytes = encodeCanonical(item);
      expect(accepts(() => decodeItem(bytes))).toBe(discovery.matches('item', read(bytes)));
    }
  });
});

describe('thing.cddl', () => {
  it('describes every request and answer that is written', () => {
    for (let i = 0; i < 300; i++) {
      const operation = (['read', 'write', 'invoke', 'observe', 'subscribe'] as const)[i % 5] ?? 'read';
      const value = randomJson();
      const takes = operation === 'write' || (operation === 'invoke' && i % 2 === 0);
      const request = { operation, thing: 'device', name: 'p', ...(takes && { value }) };
      const bytes = things.encodeThingRequest(request);
      expect(thing.matches('request', read(bytes))).toBe(true);
      expect(thing.matches(operation, read(bytes))).toBe(true);
      expect(thing.matches('reading', read(things.encodeReading({ value, timestampMs: i })))).toBe(true);
      expect(thing.matches('observed', read(things.encodeReading({ value, timestampMs: i })))).toBe(true);
      expect(thing.matches('output', read(things.encodeOutput(value)))).toBe(true);
      expect(thing.matches('event', read(things.encodeEventItem({ data: value, timestampMs: i, lost: i % 3 })))).toBe(
        true,
      );
    }
    expect(thing.matches('done', read(things.encodeEmptyAnswer()))).toBe(true);
    expect(thing.matches('observed', read(things.encodeEmptyAnswer()))).toBe(true);
    expect(thing.matches('output', read(things.encodeOutput(undefined)))).toBe(true);
  });
});

function accepts(decoding: () => unknown): boolean {
  try {
    return decoding() !== undefined;
  } catch (error) {
    expect(error).toMatchObject({ code: 'malformed' });
    return false;
  }
}
