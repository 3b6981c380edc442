import type { PeerId } from '@pipevine/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { signStatement } from '../../runtime/group/statement-codec.ts';
import { encodeApplication } from '../../runtime/membership/application-codec.ts';
import { groupOf } from '../simulator/household.ts';
import type { Machine } from '../simulator/simulation.ts';
import { failureOf, Home } from './home.ts';
import { directed, type HostileMember, map } from './hostile-member.ts';
import { madeAdvertisement } from './made-advertisement.ts';

/** How many messages a flood has, as fast as the flooder can send them. */
const FLOOD = 3_000;
/** More than a pipe would let one wait for is not even sent. */
const AT_ONCE = 200;
/** What the gateway holds of others, and of one of them. */
const MAX_FOREIGN = 2_000;
const MAX_FOREIGN_OF_ONE = 500;
const THING = 3;

let home: Home;
let edges: Machine[];
let flooder: HostileMember;
let gateway: PeerId;

beforeEach(async () => {
  const advertisements = { maxForeign: MAX_FOREIGN, maxForeignPerPublisher: MAX_FOREIGN_OF_ONE };
  home = await Home.make('floods', { limits: { advertisements } });
  edges = [await home.edge('one'), await home.edge('two'), await home.edge('three')];
  flooder = await home.hostile('flooder');
  gateway = home.gateway.peer.id;
});

afterEach(async () => {
  await home.simulation.finish();
});

/** Sends requests, each of which is answered so, as fast as one pipe takes them; gives the codes that came back, and how often. */
async function flood(answers: 'one' | 'sequence', requests: readonly Uint8Array[]): Promise<Map<string, number>> {
  const pipe = await flooder.open(gateway, 'resolver');
  const codes = new Map<string, number>();
  const waiting = [...requests];
  const worker = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const code =
        (await failureOf(answers === 'one' ? pipe.request(next) : drained(pipe.stream(next))))?.code ?? 'taken';
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
  };
  await Promise.all(times(AT_ONCE, worker));
  return codes;
}

async function drained(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of items);
}

/** Floods, and meanwhile lets the edges look for each other's items, again and again: all of them must find all. */
async function lookupsDuring<T>(attack: Promise<T>): Promise<T> {
  let isOver = false;
  attack.then(
    () => {
      isOver = true;
    },
    () => undefined,
  );
  let rounds = 0;
  do {
    expect(await home.lookups(edges)).toEqual([3, 3, 3]);
    rounds++;
  } while (!isOver && rounds < 100);
  return home.clock.run(attack);
}

const refusals = (codes: Map<string, number>) => FLOOD - (codes.get('taken') ?? 0);
const times = <T>(count: number, make: (i: number) => T) => Array.from({ length: count }, (_, i) => make(i));

describe('a member that floods', { timeout: 60_000 }, () => {
  it('with queries is told so, and is answered no more than its share', async () => {
    const query = directed('discovery', map([1, THING], [6, 100]));
    const codes = await lookupsDuring(
      flood(
        'sequence',
        times(FLOOD, () => query),
      ),
    );
    expect([...codes.keys()].sort()).toEqual(['overloaded', 'taken']);
    expect(refusals(codes)).toBeGreaterThan(FLOOD / 2);
    expect(home.dropped('resolver queries')).toBeGreaterThan(FLOOD / 4);
  });

  it('with queries whose patterns are made to be slow is held to a budget of work', async () => {
    const publisher = groupOf(edges[0] ?? expect.fail());
    const value = 'a'.repeat(250);
    for (let i = 0; i < 400; i++) {
      const attributes = Object.fromEntries(times(8, (n) => [`attribute-${n}`, `${value}${i}`]));
      await home.clock.run(publisher.publish({ kind: 'module', key: `m${i}`, name: value.slice(0, 120), attributes }));
    }
    await home.clock.runFor(5_000);
    const pattern = `*${'a*'.repeat(500)}b`;
    const attributes = new Map(times(8, (n) => [`attribute-${n}`, pattern] as const));
    const MODULE = 6;
    const body = map([1, MODULE], [4, `*${'a*'.repeat(50)}`], [5, attributes], [6, 50_000]);
    const codes = await lookupsDuring(
      flood(
        'sequence',
        times(FLOOD, () => directed('discovery', body)),
      ),
    );
    expect([...codes.keys()].sort()).toEqual(['overloaded', 'taken']);
    expect(home.dropped('discovery queries') + home.dropped('resolver queries')).toBeGreaterThan(FLOOD / 4);
    expect(home.dropped('discovery queries'), 'refused for the work of those before').toBeGreaterThan(0);
    // Longer than any honest pattern: refused before it is matched with anything.
    const longer = map([1, MODULE], [4, '*'.repeat(1_025)], [6, 1]);
    const failure = await home.clock.run(failureOf(flooder.ask(gateway, 'discovery', longer)));
    expect(['malformed', 'overloaded']).toContain(failure?.code);
  });

  it('with advertisements fills no more than its share of the index', async () => {
    const { clock, id } = home;
    const attack = async () => {
      await flooder.push(gateway, [madeAdvertisement(flooder.identity, id, 1).encoded]);
      const batches = times(400, (batch) =>
        times(10, (i) => {
          const key = `${batch} ${i}`;
          return madeAdvertisement(flooder.identity, id, clock.wallMs(), { kind: 'thing', key, name: key }).encoded;
        }),
      );
      return flood(
        'one',
        batches.map((encoded) => directed('rendezvous', map([1, 2], [4, encoded]))),
      );
    };
    const codes = await lookupsDuring(attack());
    expect([...codes.keys()].filter((code) => code !== 'taken')).toEqual(['overloaded']);
    expect(home.dropped('rendezvous pushes')).toBeGreaterThan(100);
    // What it may push it may: in time, but never more than its share.
    for (let batch = 0; batch < 30; batch++) {
      const encoded = times(100, (i) => {
        const fields = { kind: 'thing', key: `later ${batch} ${i}`, name: 'later' } as const;
        return madeAdvertisement(flooder.identity, id, clock.wallMs(), fields).encoded;
      });
      await clock.run(failureOf(flooder.ask(gateway, 'rendezvous', map([1, 2], [4, encoded]))));
    }
    const { used } = home.gateway.peer.status().queues['advertisements foreign'] ?? expect.fail();
    expect(used).toBeLessThanOrEqual(MAX_FOREIGN_OF_ONE + 50);
    expect(home.dropped('advertisements foreign')).toBeGreaterThan(500);
    expect(await home.lookups(edges)).toEqual([3, 3, 3]);
  });

  it('with propagated messages reaches the others with a few of them only', async () => {
    let heard = 0;
    for (const edge of edges) {
      groupOf(edge).handle('noise', async () => {
        heard++;
        return new Uint8Array(0);
      });
    }
    const requests = times(FLOOD, () => flooder.propagated('noise', false));
    const codes = await lookupsDuring(flood('one', requests));
    expect([...codes.keys()].filter((code) => code !== 'taken')).toEqual(['overloaded']);
    await home.clock.runFor(5_000);
    expect(heard).toBeGreaterThan(0);
    // The burst of one origin, and what the seconds of the flood add to it, at each of three edges.
    expect(heard).toBeLessThanOrEqual(3 * 60);
    expect(home.dropped('resolver queries')).toBeGreaterThan(FLOOD / 4);
    // Others are heard as before.
    heard = 0;
    await home.clock.run(groupOf(edges[0] ?? expect.fail()).propagate('noise', new Uint8Array(0)));
    await home.clock.runFor(1_000);
    expect(heard).toBe(2);
  });

  it('with statements has no more of them kept than one issuer may have, and revocations go through', async () => {
    const { clock, id, simulation } = home;
    const content = encodeApplication({
      subject: flooder.peer,
      name: 'noise',
      askedAtMs: clock.wallMs(),
      for: { type: 'membership', nonce: new Uint8Array(16) },
    });
    const untilMs = clock.wallMs() + 3_600_000;
    const common = {
      group: id,
      type: 'application',
      sequence: 1,
      untilMs,
      credential: flooder.credential,
      content,
    } as const;
    const statements = times(
      1_000,
      (i) => signStatement(flooder.identity.signing, { ...common, key: `k${i}` }).encoded,
    );
    let told = 0;
    // Whoever follows it is told all at once, and no end.
    flooder.answers.set('group', async function* () {
      for (const one of statements) {
        told++;
        yield one;
      }
      await new Promise<never>(() => undefined);
    });
    await clock.run(flooder.link('mem://one:7'));
    await lookupsDuring(new Promise<void>((resolve) => simulation.clock.setTimer(30_000, resolve)));
    expect(told).toBeGreaterThan(100);
    for (const machine of [home.gateway, ...edges]) {
      const { used } = machine.peer.status().queues.statements ?? expect.fail();
      expect(used).toBeLessThanOrEqual(64 + 2);
    }
    expect(home.dropped('statements')).toBeGreaterThan(0);
    const victim = edges[2] ?? expect.fail();
    await clock.run(groupOf(home.gateway).revoke(victim.peer.id));
    await clock.runFor(10_000);
    // What the revoked one had published is gone at all who were flooded.
    expect(await home.lookups(edges.slice(0, 2))).toEqual([2, 2]);
  });
});
