import { type PeerId, WORLD_GROUP } from '@pipevine/runtime';
import { seededRandom } from '@pipevine/transports';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeMembershipRequest, type MembershipRequest } from '../../runtime/membership/membership-codec.ts';
import { addressOf } from '../simulator/overlay.ts';
import type { Machine } from '../simulator/simulation.ts';
import { failureOf, Home, identityOf } from './home.ts';
import { HostileMember } from './hostile-member.ts';

const FLOOD = 2_000;
/** More than a pipe would let one wait for is not even sent. */
const AT_ONCE = 100;
const random = seededRandom('strangers');
let home: Home;
let edges: Machine[];
let gateway: PeerId;
let stranger: HostileMember;

beforeEach(async () => {
  home = await Home.make('strangers', {}, { listed: true });
  edges = [await home.edge('one'), await home.edge('two')];
  gateway = home.gateway.peer.id;
  const { network } = home.simulation;
  const common = { network, name: 'stranger', group: WORLD_GROUP, credential: new Uint8Array(0) };
  stranger = new HostileMember({ ...common, identity: identityOf('stranger') });
  await home.clock.run(stranger.link(addressOf('gateway')));
});

afterEach(async () => {
  await home.simulation.finish();
});

/** Sends many membership requests, while the members look for each other; gives the codes that came back, and how often. */
async function flood(make: (i: number) => MembershipRequest): Promise<Map<string, number>> {
  const pipe = await home.clock.run(stranger.open(gateway, 'membership'));
  const codes = new Map<string, number>();
  let left = FLOOD;
  const worker = async () => {
    while (left-- > 0) {
      const code = (await failureOf(pipe.request(encodeMembershipRequest(make(left)))))?.code ?? 'taken';
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
  };
  const attack = Promise.all(Array.from({ length: AT_ONCE }, worker));
  for (let round = 0; round < 10; round++) expect(await home.lookups(edges)).toEqual([2, 2]);
  await home.clock.run(attack);
  expect(await home.lookups(edges)).toEqual([2, 2]);
  return codes;
}

describe('a stranger that floods', () => {
  it('with guesses of join codes has five of them looked at', async () => {
    const guess = () => ({ type: 'join-code', group: home.id, name: 'x', secret: random.bytes(10) }) as const;
    expect([...(await flood(guess)).keys()].sort()).toEqual(['overloaded', 'refused']);
    expect(home.dropped('join attempts') + home.dropped('membership requests')).toBe(FLOOD - 5);
    const { used, limit } = home.gateway.peer.status().queues['join attempts'] ?? expect.fail();
    expect(used).toBe(5);
    expect(limit).toBeGreaterThan(used);
  });

  it('with searches for groups by patterns that are made to be slow gets its share of answers, and delays nobody', async () => {
    const name = `*${'h*'.repeat(63)}`;
    const codes = await flood(() => ({ type: 'find', name }));
    expect([...codes.keys()].sort()).toEqual(['overloaded', 'taken']);
    expect(codes.get('taken')).toBeLessThan(FLOOD / 2);
    expect(home.dropped('membership requests')).toBeGreaterThan(FLOOD / 2);
    const longer = { type: 'find', name: '*'.repeat(129) } as const;
    expect([...(await flood(() => longer)).keys()]).toEqual(['malformed']);
  });

  it('with credentials of its own making joins nothing and renews nothing', async () => {
    const credential = await home.credential('member', ['member']);
    const renew = () => ({ type: 'renew', group: home.id, credential }) as const;
    expect([...(await flood(renew)).keys()].sort()).toEqual(['overloaded', 'refused']);
    const made = () => ({ type: 'resign', group: home.id, credential: random.bytes(100) }) as const;
    const codes = [...(await flood(made)).keys()];
    expect(codes.length).toBeGreaterThan(0);
    for (const code of codes) expect(['malformed', 'refused', 'forged', 'overloaded']).toContain(code);
  });
});
