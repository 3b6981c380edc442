import { VirtualClock } from '@pipevine/transports';
import { describe, expect, test } from 'vitest';
import { PipevineError } from '../error/pipevine-error.ts';
import type { Credential } from '../group/group-access.ts';
import { WORLD_GROUP } from '../id/group-id.ts';
import { type PeerId, peerIdFromBytes } from '../id/peer-id.ts';
import { codeOf } from '../pipe/testing/overlay.ts';
import { DistantMembers } from './distant-members.ts';
import { DISTANT_IDLE_MS, MAX_DISTANT_MEMBERS } from './resolver-defaults.ts';

const peer = (number: number): PeerId => peerIdFromBytes(new Uint8Array(32).fill(number));
const ALICE = peer(1);

const credential: Credential = {
  group: WORLD_GROUP,
  subject: ALICE,
  roles: ['member'],
  capabilities: [],
  notBeforeMs: 0,
  notAfterMs: 1,
  serial: '',
  version: 0,
  encoded: new Uint8Array(0),
};

/** Members whose pipes are counted; a question is answered after a second. */
function members(init: { readonly credential?: Credential | undefined; readonly fails?: boolean } = {}) {
  const clock = new VirtualClock();
  const open: PeerId[] = [];
  const linked = new Set<PeerId>();
  let binds = 0;
  const wait = (ms: number) => new Promise<void>((resolve) => clock.setTimer(ms, resolve));
  const distant = new DistantMembers({
    group: WORLD_GROUP,
    clock,
    // Only whether there is one is asked.
    endpoint: { linkTo: (to) => (linked.has(to) ? (Object.create(null) as never) : undefined) },
    pipes: {
      async requester({ peer: remotePeer }) {
        binds++;
        await wait(100);
        if (init.fails === true) throw new PipevineError('unreachable', 'Nobody is there.');
        open.push(remotePeer);
        let settle = (): void => {};
        const closed = new Promise<undefined>((resolve) => {
          settle = () => resolve(undefined);
        });
        return {
          remotePeer,
          credential: 'credential' in init ? init.credential : credential,
          closed,
          async request(body) {
            await wait(1_000);
            return body;
          },
          async *stream(body) {
            yield body;
          },
          async close() {
            if (open.includes(remotePeer)) open.splice(open.indexOf(remotePeer), 1);
            settle();
          },
        };
      },
    },
  });
  const ask = async (to: PeerId) => (await distant.open(to))?.request('echo', new Uint8Array(0));
  return { clock, distant, open, linked, ask, binds: () => binds };
}

describe('members that are no neighbours', () => {
  test('are asked over one pipe each, however many ask, which is closed when nobody does', async () => {
    const { clock, distant, open, ask, binds } = members();
    await clock.run(Promise.all([ask(ALICE), ask(ALICE), ask(ALICE)]));
    await clock.runFor(DISTANT_IDLE_MS / 2);
    await clock.run(ask(ALICE));
    await clock.runFor(DISTANT_IDLE_MS - 1);
    expect([binds(), open, distant.used]).toEqual([1, [ALICE], 1]);
    await clock.runFor(1);
    expect([open, distant.used]).toEqual([[], 0]);
  });

  test('make room for others when they are idle, and are not cut while they are asked', async () => {
    const { clock, distant, open, ask } = members();
    const asked = Promise.all(Array.from({ length: MAX_DISTANT_MEMBERS }, (_, i) => ask(peer(i + 1))));
    await clock.runFor(500);
    expect(await codeOf(ask(peer(100)))).toBe('overloaded');
    expect(distant.refused).toBe(1);
    await clock.run(asked);
    await clock.run(ask(peer(1)));
    await clock.run(ask(peer(100)));
    expect(distant.used).toBe(MAX_DISTANT_MEMBERS);
    // The one that was not asked for longest has gone.
    expect([open.includes(peer(1)), open.includes(peer(2)), open.includes(peer(100))]).toEqual([true, false, true]);
  });

  test('take no place when they cannot be reached, or show no credential', async () => {
    const gone = members({ fails: true });
    expect(await gone.clock.run(codeOf(gone.ask(ALICE)))).toBe('unreachable');
    const stranger = members({ credential: undefined });
    expect(await stranger.clock.run(codeOf(stranger.ask(ALICE)))).toBe('refused');
    expect([gone.distant.used, stranger.distant.used, stranger.open]).toEqual([0, 0, []]);
  });

  test('are left to the neighbours when a link stands', async () => {
    const { clock, distant, linked } = members();
    const opening = distant.open(ALICE);
    linked.add(ALICE);
    expect(await clock.run(opening)).toBeUndefined();
  });

  test('are asked no more once the group is closed', async () => {
    const { clock, distant, open, ask } = members();
    await clock.run(ask(ALICE));
    const opening = codeOf(ask(peer(2)));
    distant.close();
    expect(await clock.run(opening)).toBe('refused');
    expect(await codeOf(ask(ALICE))).toBe('closed');
    expect(open).toEqual([]);
  });
});
