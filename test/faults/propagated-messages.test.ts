import { type GroupId, groupIdFromBytes, type Identity } from '@pipevine/runtime';
import { seededRandom } from '@pipevine/transports';
import { beforeAll, describe, expect, it } from 'vitest';
import { signMessage } from '../../runtime/resolver/resolver-codec.ts';
import { groupOf } from '../simulator/household.ts';
import type { Machine } from '../simulator/simulation.ts';
import { DAY, failureOf, HOUR, Home, identityOf, MINUTE } from './home.ts';

const random = seededRandom('propagated messages');
const NOTHING = new Uint8Array(0);
let home: Home;
let edges: Machine[];
let heard: string[];
let carriers = 0;
const shown: Record<'expired' | 'revoked' | 'guest', Uint8Array> = {
  expired: NOTHING,
  revoked: NOTHING,
  guest: NOTHING,
};

/** A message that is what its origin has signed. */
function messageOf(identity: Identity, credential: Uint8Array, group: GroupId, issuedAtMs: number): Uint8Array {
  const query = { handler: 'news', isQuery: false, timeoutMs: 0, body: NOTHING };
  return signMessage(identity.signing, { ...query, id: random.bytes(16), group, issuedAtMs, credential });
}

const credentialOf = (machine: Machine) => groupOf(machine).credential?.encoded ?? expect.fail();

/** Brings a message to the gateway by way of a member that nobody knows yet; gives the code of its failure. */
async function bring(signed: Uint8Array, origin: Identity): Promise<string | undefined> {
  const carrier = await home.hostile(`carrier-${carriers++}`);
  const request = carrier.passedOn(signed, origin.id);
  const failure = await home.clock.run(failureOf(carrier.send(home.gateway.peer.id, request)));
  await home.clock.runFor(1_000);
  carrier.process.crash();
  return failure?.code;
}

beforeAll(async () => {
  home = await Home.make('propagated');
  shown.expired = await home.credential('expired', ['member']);
  home.clock.stepWall(50 * DAY);
  await home.clock.runFor(2 * HOUR);
  edges = [await home.edge('one'), await home.edge('two')];
  heard = [];
  for (const machine of [home.gateway, ...edges]) listen(machine);
  shown.revoked = await home.credential('revoked', ['member']);
  await home.clock.run(groupOf(home.gateway).revoke(identityOf('revoked').id));
  shown.guest = await home.credential('guest', ['guest']);
});

function listen(machine: Machine): void {
  groupOf(machine).handle('news', async () => {
    heard.push(machine.name);
    return NOTHING;
  });
}

describe('a propagated message', () => {
  it('of a member is heard by all, once, however often it comes', async () => {
    const [one] = edges as [Machine]; // There are two.
    const { identity } = one.peer;
    const signed = messageOf(identity, credentialOf(one), home.id, home.clock.wallMs());
    expect(await bring(signed, identity)).toBeUndefined();
    expect(heard.sort()).toEqual(['gateway', 'two']);
    const before = home.dropped('propagated messages repeated');
    for (let i = 0; i < 3; i++) expect(await bring(signed, identity)).toBeUndefined();
    expect(heard).toHaveLength(2);
    expect(home.dropped('propagated messages repeated')).toBe(before + 3);
    // An hour later with the clock an hour back, too.
    await home.clock.runFor(HOUR);
    expect(await bring(signed, identity)).toBe('expired');
    home.clock.stepWall(-HOUR);
    await bring(signed, identity);
    expect(heard).toHaveLength(2);
    home.clock.stepWall(HOUR);
  });

  it('that does not do is refused with one clear error, counted, and passed on to nobody', async () => {
    heard = [];
    const { clock, id } = home;
    const [one] = edges as [Machine]; // There are two.
    const { identity } = one.peer;
    const nowMs = clock.wallMs();
    const good = messageOf(identity, credentialOf(one), id, nowMs);
    const forged = good.map((byte, i) => (i === good.length - 1 ? byte ^ 1 : byte));
    const elsewhere = groupIdFromBytes(identityOf('elsewhere').signing.publicKey);
    const by = (name: 'expired' | 'revoked' | 'guest') =>
      [messageOf(identityOf(name), shown[name], id, nowMs), identityOf(name)] as const;
    const cases = [
      ['expired', 'refused', ...by('expired')],
      ['revoked', 'refused', ...by('revoked')],
      ['refused', 'refused', ...by('guest')],
      ['refused', 'refused', messageOf(identityOf('x'), credentialOf(one), id, nowMs), identityOf('x')],
      ['refused', 'refused', messageOf(identity, credentialOf(one), elsewhere, nowMs), identity],
      ['expired', 'refused', messageOf(identity, credentialOf(one), id, nowMs - 10 * MINUTE), identity],
      ['expired', 'refused', messageOf(identity, credentialOf(one), id, nowMs + 10 * MINUTE), identity],
      ['forged', 'forged', forged, identity],
      ['malformed', 'forged', good.subarray(1), identity],
      ['malformed', 'forged', good, identityOf('somebody else')],
    ] as const;
    for (const [code, counter, signed, origin] of cases) {
      const before = home.dropped(`propagated messages ${counter}`);
      expect(await bring(signed, origin)).toBe(code);
      expect(home.dropped(`propagated messages ${counter}`)).toBe(before + 1);
    }
    expect(heard).toEqual([]);
    await clock.run(groupOf(one).propagate('news', NOTHING));
    await clock.runFor(1_000);
    expect(heard.sort()).toEqual(['gateway', 'two']);
  });

  it('is heard from the others as before when the one that brought a forged one is left alone', async () => {
    heard = [];
    const [one, two] = edges as [Machine, Machine]; // There are two.
    const carrier = await home.hostile('forger');
    await home.clock.runFor(1_000);
    const good = messageOf(one.peer.identity, credentialOf(one), home.id, home.clock.wallMs());
    const forged = good.map((byte, i) => (i === good.length - 1 ? byte ^ 1 : byte));
    const send = (signed: Uint8Array) =>
      home.clock.run(failureOf(carrier.send(home.gateway.peer.id, carrier.passedOn(signed, one.peer.id))));
    expect(await send(forged)).toMatchObject({ code: 'forged' });
    // Not one signature more is looked at, were it a good one.
    expect(await send(good)).toMatchObject({ code: 'refused', message: expect.stringContaining('left alone') });
    expect(heard).toEqual([]);
    await home.clock.run(groupOf(two).propagate('news', NOTHING));
    await home.clock.runFor(1_000);
    expect(heard.sort()).toEqual(['gateway', 'one']);
  });
});
