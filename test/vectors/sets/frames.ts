import assert from 'node:assert/strict';
import {
  type ControlFrame,
  encodeControlFrame,
  type FrameSink,
  MAX_DATA_OVERHEAD_BYTES,
  readFrames,
  writeDataFrame,
} from '@pipevine/runtime/protocol';
import { askingForRelay, throughRelay } from '../../../runtime/pipe/relayed-path.ts';
import { encodeSessionField } from '../../../runtime/pipe/session-field.ts';
import { asJson } from '../as-json.ts';
import { AUTHORITY, BOB, filled } from '../cast.ts';
import { CONTROL_VECTORS, DATA_VECTORS } from '../frame-vectors.ts';
import { fromHex, toHex } from '../hex.ts';
import type { Vector, VectorSet } from '../vector-set.ts';

/** What the reader hands over of a record's plaintext, one entry a frame. */
function read(record: Uint8Array): unknown[] {
  const seen: unknown[] = [];
  const sink: FrameSink = {
    stopped: false,
    onData: (channel, payload, sequence, more) => seen.push({ type: more ? 1 : 0, channel, payload, sequence }),
    onFrame: (frame) => seen.push(frame),
    onUnsupportedBind: () => seen.push('BIND of an unknown kind or security'),
    onUnknownFrame: () => seen.push('unknown, skipped'),
  };
  readFrames(record, sink);
  return seen;
}

function record(name: string, value: readonly unknown[], bytes: Uint8Array, cddl?: string): Vector {
  const frames = asJson(value);
  return {
    data: { name, ...(cddl === undefined ? {} : { cddl }), frames, bytes: toHex(bytes) },
    check: (data) => assert.deepEqual(asJson(read(fromHex(data.bytes))), data.frames),
  };
}

const control = (name: string, frame: ControlFrame) => record(name, [frame], encodeControlFrame(frame), 'frame');

const bind = CONTROL_VECTORS.find(({ name }) => name === 'BIND')?.frame;
const bound = CONTROL_VECTORS.find(({ name }) => name === 'BOUND')?.frame;
if (bind?.type !== 3 || bound?.type !== 4) throw new Error('There are vectors of BIND and BOUND.');
const begin = encodeSessionField({ type: 'new', message: filled(4, 0x0b) });
const asking = askingForRelay(begin, 65_000);
const passed = throughRelay(asking, 1_155);
const named = askingForRelay(begin, 65_000, [AUTHORITY.id, BOB.id]);
const first = askingForRelay(begin, 65_000, []);
const moved = encodeSessionField({ type: 'resume', proof: { counter: 1, mac: filled(32, 0x0d) } });
const movedUnderLink = encodeSessionField({ type: 'resume', proof: undefined });
const MORE: readonly (readonly [name: string, frame: ControlFrame])[] = [
  ['BIND of a new session, end to end', { ...bind, session: begin }],
  ['BIND that goes on, end to end', { ...bind, session: moved }],
  ['BIND that goes on, under the link', { ...bind, security: 0, session: movedUnderLink }],
  ['BIND that asks for a relay', { ...bind, session: asking }],
  ['the same, as the first relay passes it on', { ...bind, session: passed }],
  ['the same, as the second relay passes it on', { ...bind, session: throughRelay(passed, 60_000) }],
  ['BIND of a bidirectional pipe', { ...bind, kind: 4, session: begin }],
  ['BIND that names two relays after the first', { ...bind, session: named }],
  ['the same, as the first of the three passes it on', { ...bind, session: throughRelay(named, 1_155) }],
  [
    'the same, as the third passes it on',
    { ...bind, session: [1_155, 523, 60_000].reduce((session, bytes) => throughRelay(session, bytes), named) },
  ],
  ['BIND over the first relay alone', { ...bind, session: first }],
  [
    'BIND that names none, as the first relay passes it on that has found a way',
    { ...bind, session: throughRelay(asking, 1_155, [BOB.id]) },
  ],
  [
    'BIND that goes on, over relays that are named',
    { ...bind, session: askingForRelay(moved, 65_000, [AUTHORITY.id]) },
  ],
  ['BOUND as the first relay passes it back', { ...bound, session: throughRelay(begin, 1_155) }],
  [
    'BOUND that goes on, as the second relay passes it back',
    { ...bound, session: throughRelay(throughRelay(moved, 1_155), 60_000) },
  ],
  ['CONFIRM with a sealed acknowledgement', { type: 5, channel: 9, session: filled(36, 0x5e) }],
  [
    'UNBIND of a way that the pipe has left',
    { type: 6, channel: 9, code: 'moved', reason: 'It has moved to another link.' },
  ],
  [
    'UNBIND of the second relay, as the first passes it back',
    { type: 6, channel: 7, code: 'unreachable', reason: 'At relay 2: no way is known.' },
  ],
  ['BOUND with a credential', { ...bound, credential: filled(3, 0x0a) }],
];

export const FRAMES: VectorSet = {
  name: 'frames',
  description:
    "Every frame, as it stands in a record's plaintext. `type` is the frame's number; `session` is the member as on the wire, with the head of a relayed path in front where there is one (relay.md).",
  document: 'docs/protocol/link.md',
  cddl: 'wire.cddl',
  vectors: [
    ...DATA_VECTORS.map(({ name, channel, payload, sequence, more }) => {
      const target = new Uint8Array(payload.length + MAX_DATA_OVERHEAD_BYTES);
      const end = writeDataFrame(target, 0, channel, payload, sequence, more);
      const frame = { type: more ? 1 : 0, channel, payload, sequence };
      return record(`DATA: ${name}`, [frame], target.subarray(0, end), 'frame');
    }),
    ...CONTROL_VECTORS.map(({ name, frame }) => control(name, frame)),
    ...MORE.map(([name, frame]) => control(name, frame)),
    record('a frame of a later type', ['unknown, skipped'], fromHex('8218181864'), 'unknown-frame'),
    record(
      'three frames in one record',
      [
        { type: 0, channel: 5, payload: new TextEncoder().encode('hello'), sequence: 0 },
        { type: 7, token: 1 },
        { type: 9 },
      ],
      fromHex('8400054568656c6c6f00' + '820701' + '8109'),
    ),
  ],
};
