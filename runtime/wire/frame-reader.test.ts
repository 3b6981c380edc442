import { describe, expect, it } from 'vitest';
import { encodeControlFrame } from './control-frame.ts';
import { writeDataFrame } from './data-frame.ts';
import { encodeCanonical } from './encode.ts';
import type { AckFrame, BindFrame, ControlFrame } from './frame.ts';
import { type FrameSink, readFrames } from './frame-reader.ts';

/** The budget is 5 ms; ten times that tells a cost that is not linear from a machine that is busy or slow. */
const LIMIT_US = 50_000;

interface Seen {
  readonly data: { channel: number; payload: Uint8Array; sequence: number | undefined; more: boolean }[];
  readonly frames: ControlFrame[];
  readonly unsupported: number[];
  unknown: number;
}

function read(record: Uint8Array, stopAfter = Infinity): Seen & { readonly bytes: number } {
  const seen: Seen = { data: [], frames: [], unsupported: [], unknown: 0 };
  const sink: FrameSink = {
    get stopped() {
      return seen.data.length + seen.frames.length >= stopAfter;
    },
    onData: (channel, payload, sequence, more) => seen.data.push({ channel, payload, sequence, more }),
    onFrame: (frame) => seen.frames.push(frame),
    onUnsupportedBind: (channel) => seen.unsupported.push(channel),
    onUnknownFrame: () => seen.unknown++,
  };
  const bytes = readFrames(record, sink);
  return { ...seen, bytes };
}

const joined = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));
const malformed = expect.objectContaining({ name: 'PipevineError', code: 'malformed' });

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const ack: AckFrame = { type: 2, channel: 5, next: 17, limit: 65_536, ranges: [] };
const bind: BindFrame = {
  type: 3,
  channel: 7,
  pipe: new Uint8Array(16),
  target: new Uint8Array(32),
  source: new Uint8Array(32),
  group: new Uint8Array(32),
  name: 'thing',
  kind: 2,
  security: 1,
  next: 0,
  limit: 0,
  credential: new Uint8Array(0),
  session: new Uint8Array(0),
};

describe('a record', () => {
  it('gives all its frames in order', () => {
    const seen = read(
      joined(hex('83 00 05 41 01'), encodeControlFrame(ack), hex('84 01 05 40 07'), encodeControlFrame(bind)),
    );
    expect(seen.data).toEqual([
      { channel: 5, payload: hex('01'), sequence: undefined, more: false },
      { channel: 5, payload: hex(''), sequence: 7, more: true },
    ]);
    expect(seen.frames).toEqual([ack, bind]);
  });

  it('gives nothing after the sink has stopped', () => {
    const seen = read(hex('83 00 05 40 83 00 05 40'), 1);
    expect(seen.data).toHaveLength(1);
    expect(seen.bytes).toBe(4);
  });

  it('keeps a message to 8 bytes of framing at most', () => {
    const target = new Uint8Array(100);
    expect(writeDataFrame(target, 0, 255, new Uint8Array(32), 65_535, false) - 32).toBeLessThanOrEqual(9);
    expect(writeDataFrame(target, 0, 255, new Uint8Array(32), undefined, false) - 32).toBeLessThanOrEqual(6);
  });

  it('skips and counts frames of later versions, whatever is in them', () => {
    const unknown = [
      encodeCanonical([11]),
      encodeCanonical([24, { anything: [1, 2.5, 'x'] }]),
      encodeCanonical([70_000, 'x']),
      encodeCanonical([11, ...Array(30).fill(0)]),
    ];
    const ping = encodeControlFrame({ type: 7, token: 1 });
    const seen = read(joined(...unknown, ping));
    expect(seen.unknown).toBe(4);
    expect(seen.frames).toEqual([{ type: 7, token: 1 }]);
  });

  it('has at most 2,048 frames other than data', () => {
    const ping = encodeControlFrame({ type: 7, token: 1 });
    expect(read(joined(...Array(2_048).fill(ping))).frames).toHaveLength(2_048);
    const tooLarge = expect.objectContaining({ code: 'too-large' });
    expect(() => read(joined(...Array(2_049).fill(ping)))).toThrowError(tooLarge);
  });

  it('costs a bounded time to read, whatever is in it', () => {
    const maps = (count: number) => [0x99, count >> 8, count & 0xff, ...Array(count).fill(0xa0)];
    const bound = (count: number) => Uint8Array.from([0x84, 4, 0, 0, 0xa3, 8, 0, 9, 0, 12, ...maps(count)]);
    const unbind = hex(`84 06 00 60 78 18 ${'61'.repeat(24)}`);
    const fullAck = encodeControlFrame({
      ...ack,
      ranges: Array.from({ length: 32 }, (_, i) => [20 + 2 * i, 20 + 2 * i] as const),
    });
    const records: Uint8Array[] = [
      joined(...Array(7).fill(bound(4_090))),
      joined(...Array(15).fill(bound(4_090))),
      joined(...Array(2_048).fill(unbind)),
      joined(...Array(Math.floor(65_519 / fullAck.length)).fill(fullAck)),
      joined(...Array(10_000).fill(hex('83 00 05 41 01'))),
      joined(...Array(2_048).fill(hex('8a 18 64 80 80 80 80 80 80 80 80 80'))),
    ];
    const tooLarge = expect.objectContaining({ code: 'too-large' });
    for (const record of records) {
      expect(record.length).toBeLessThanOrEqual(65_519);
      let best = Infinity;
      for (let i = 0; i < 8 && best > LIMIT_US; i++) {
        const before = process.cpuUsage();
        try {
          read(record);
        } catch (error) {
          expect(error).toEqual(tooLarge);
        }
        const spent = process.cpuUsage(before);
        best = Math.min(best, spent.user + spent.system);
      }
      expect(best).toBeLessThan(LIMIT_US);
    }
  });

  it.each([
    ['no array', '01'],
    ['an empty array', '80'],
    ['a map', 'a1 00 00'],
    ['an array that starts with text', '82 61 61 00'],
    ['an array that starts with a negative number', '81 20'],
    ['DATA with too many members', '85 00 00 40 00 00'],
    ['DATA with too few members', '82 00 00'],
    ['DATA with a long type', '83 18 00 00 40'],
    ['DATA with text as payload', '83 00 00 60'],
    ['DATA with a negative channel', '83 00 20 40'],
    ['DATA with a channel not in its shortest form', '83 00 18 05 40'],
    ['DATA with a channel of 33 bits', '83 00 1b 0000000100000000 40'],
    ['DATA with a length not in its shortest form', '83 00 00 58 01 ff'],
    ['DATA with an indefinite payload', '83 00 00 5f 41 00 ff'],
    ['DATA with a sequence number beyond 2^53', '84 00 00 40 1b 0020000000000000'],
    ['DATA with a sequence number not in its shortest form', '84 00 00 40 19 0005'],
    ['DATA with text as sequence number', '84 00 00 40 60'],
  ])('is refused when it holds %s', (_, bytes) => {
    expect(() => read(hex(bytes))).toThrowError(malformed);
  });
});

describe('a control frame', () => {
  const long = 'x'.repeat(201);

  it.each<[string, ControlFrame]>([
    ['a pipe of 15 bytes', { ...bind, pipe: new Uint8Array(15) }],
    ['a target of 31 bytes', { ...bind, target: new Uint8Array(31) }],
    ['a source of 33 bytes', { ...bind, source: new Uint8Array(33) }],
    ['no group', { ...bind, group: new Uint8Array(0) }],
    ['a name of 129 bytes', { ...bind, name: `${'ü'.repeat(64)}x` }],
    ['a credential of 4,097 bytes', { ...bind, credential: new Uint8Array(4_097) }],
    ['a session of 4,097 bytes', { ...bind, session: new Uint8Array(4_097) }],
    ['a channel of 33 bits', { ...bind, channel: 2 ** 32 }],
    ['a negative sequence number', { ...bind, next: -1 }],
    ['a fraction as limit', { ...bind, limit: 1.5 }],
    ['a reason of 201 characters', { type: 6, channel: 0, code: 'done', reason: long }],
    ['a code of 33 characters', { type: 10, code: 'c'.repeat(33), reason: '' }],
    ['33 ranges', { ...ack, ranges: Array.from({ length: 33 }, (_, i) => [20 + 2 * i, 20 + 2 * i] as const) }],
    ['a range at `next`', { ...ack, ranges: [[17, 18]] }],
    ['a range that ends before it starts', { ...ack, ranges: [[20, 19]] }],
    [
      'ranges that overlap',
      {
        ...ack,
        ranges: [
          [20, 25],
          [25, 26],
        ],
      },
    ],
    ['a token beyond 2^53', { type: 7, token: 2 ** 53 }],
  ])('is not written with %s', (_, frame) => {
    expect(() => encodeControlFrame(frame)).toThrowError(expect.objectContaining({ code: 'invalid-argument' }));
  });

  it.each([
    ['ACK without a limit', '83 02 05 11'],
    ['ACK with an empty list of ranges', '85 02 05 11 00 80'],
    ['ACK with a range of three', '85 02 05 00 00 81 83 01 02 03'],
    ['BIND with a list for a map', '83 03 07 80'],
    ['BIND without its members', '83 03 07 a0'],
    ['CONFIRM with text', '83 05 09 60'],
    ['UNBIND with a number as code', '84 06 09 00 60'],
    ['PING without a token', '81 07'],
    ['REKEY with a member', '82 09 00'],
    ['CLOSE without a reason', '82 0a 60'],
  ])('is not read: %s', (_, bytes) => {
    expect(() => read(hex(bytes))).toThrowError(malformed);
  });

  it('may have members of later versions in its map', () => {
    const later = new Map<number | string, number>([
      [8, 1],
      [9, 2],
      [99, 3],
      ['x', 4],
    ]);
    expect(read(encodeCanonical([4, 1, 2, later])).frames).toMatchObject([{ type: 4, next: 1, limit: 2 }]);
  });

  it('that binds a pipe of a later kind is told apart, not refused as malformed', () => {
    const bytes = encodeControlFrame(bind);
    // Keys 6 and 7 with their values.
    const at = Buffer.from(bytes).indexOf(Buffer.from([6, 2, 7, 1]));
    const laterKind = bytes.slice();
    laterKind[at + 1] = 9;
    const laterSecurity = bytes.slice();
    laterSecurity[at + 3] = 9;
    expect(read(joined(laterKind, laterSecurity)).unsupported).toEqual([7, 7]);
  });
});
