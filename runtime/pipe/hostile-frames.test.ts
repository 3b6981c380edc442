import { seededRandom } from '@pipevine/transports';
import { expect, test } from 'vitest';
import { WORLD_GROUP } from '../id/group-id.ts';
import { peerIdToBytes } from '../id/peer-id.ts';
import type { ControlFrame } from '../wire/frame.ts';
import { bindPair, numbered, numberOf, Overlay } from './testing/overlay.ts';
import { RawPeer } from './testing/raw-peer.ts';

test.each([1, 2, 3, 4, 5, 6])(
  'whatever frames a neighbour sends, its link takes them and others notice nothing (seed %i)',
  async (seed) => {
    const overlay = new Overlay(seed);
    const scheme = seed % 2 === 0 ? 'memd' : 'mem';
    const lamp = overlay.identity('lamp');
    const a = await overlay.peer('a', { scheme });
    const b = await overlay.peer('b', { scheme, hosted: { find: (peer) => (peer === lamp.id ? lamp : undefined) } });
    for (const scope of ['own', 'hosted'] as const) {
      b.pipes.listen({ group: WORLD_GROUP, name: 'x', scope }, (pipe) =>
        pipe.receive((message) => void pipe.trySend(message)),
      );
    }
    const [healthy, healthyEnd] = await bindPair(overlay, a, b, 'secure');
    const raw = await RawPeer.dial(overlay, 'raw', b);
    const random = seededRandom(`frames ${seed}`);
    const pick = <T>(choices: readonly [T, ...T[]]): T => choices[random.integer(choices.length)] ?? choices[0];
    const channel = () => pick([0, 1, 2, 3, 5, 100, 101, 1_024, 70_000]);
    const number = () => pick([0, 0, 1, 2, 5, 1_000_000, Number.MAX_SAFE_INTEGER]);
    const bytes = () => random.bytes(pick([0, 1, 33, 41, 48, 200]));
    const session = () => {
      const field = bytes();
      if (field.length > 0) field[0] = pick([0, 1, 2]);
      return field;
    };
    const make: readonly [() => ControlFrame, ...(() => ControlFrame)[]] = [
      () => ({ type: 2, channel: channel(), next: number(), limit: number(), ranges: pick([[], [[2, 5]]]) }),
      () => ({
        ...raw.bindFrame({
          pipe: numbered(random.integer(6), 16),
          target: pick([b.identity.id, lamp.id, a.identity.id]),
          name: 'x',
        }),
        channel: channel(),
        source: pick([raw.idBytes, peerIdToBytes(a.identity.id)]),
        kind: pick([0, 1, 2, 3]),
        security: pick([0, 0, 1]),
        next: number(),
        limit: number(),
        session: pick([new Uint8Array(0), session()]),
      }),
      () => ({
        type: 4,
        channel: channel(),
        ownChannel: channel(),
        next: number(),
        limit: number(),
        credential: bytes(),
        session: session(),
      }),
      () => ({ type: 5, channel: channel(), session: bytes() }),
      () => ({ type: 6, channel: channel(), code: pick(['done', 'refused', 'nonsense']), reason: '' }),
    ];
    for (let i = 0; i < 3_000; i++) {
      try {
        if (random.fraction() < 0.5) raw.link.queueFrame(pick(make)());
        else raw.link.queueData(channel(), bytes(), pick([undefined, number()]), random.fraction() < 0.3);
      } catch (error) {
        // An ACK whose ranges do not fit its `next` cannot be written.
        expect(error).toMatchObject({ code: 'invalid-argument' });
      }
      if (i % 20 === 0) await overlay.clock.runFor(3);
    }
    await overlay.clock.runFor(100);
    expect(raw.closed).toBe(false);
    expect(b.errors).toEqual([]);
    const got: number[] = [];
    healthyEnd.receive((message) => void got.push(numberOf(message)));
    for (let i = 0; i < 100; i++) healthy.trySend(numbered(i));
    await overlay.clock.run(healthy.flush());
    expect(got).toEqual([...Array(100).keys()]);
    // All that it holds goes with its link.
    raw.link.close('done', '');
    await overlay.clock.runFor(240_000);
    expect(b.pipes.status().pipes?.used).toBe(1);
  },
);
