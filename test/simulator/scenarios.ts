/** Each scenario checks what must hold and throws when it does not. Whatever it draws comes from the simulation's seed. */
import assert from 'node:assert/strict';
import type { Pipe } from '@pipevine/runtime';
import type { NetworkConditions } from '@pipevine/transports';
import { groupOf, Household, valuesOf } from './household.ts';
import { Simulation, type SimulationInit, type SimulationResult } from './simulation.ts';

export interface Scenario {
  readonly name: string;
  readonly conditions?: Partial<NetworkConditions>;
  run(simulation: Simulation): Promise<void>;
}

/** Runs a scenario from a seed; gives the hash of its trace. */
export async function runScenario(
  scenario: Scenario,
  seed: number,
  init: Pick<SimulationInit, 'crypto'> = {},
): Promise<SimulationResult> {
  const { name, conditions = {} } = scenario;
  const simulation = new Simulation(`${name} ${seed}`, { conditions, ...init });
  await scenario.run(simulation);
  return simulation.finish();
}

const LOSSY: Partial<NetworkConditions> = { loss: 0.1, duplication: 0.05, reordering: 0.1, jitterMs: 5 };

/** Edges join by a code, find every device within a second, read it, write it. */
export const joinAndRead: Scenario = {
  name: 'join, discover, read',
  conditions: { loss: 0.02, jitterMs: 3 },
  run: async (simulation) => {
    const household = new Household(simulation, { sensors: 12 });
    await household.settle(8);
    await simulation.clock.runFor(1_000);
    for (const edge of household.edges) {
      const things = await household.things(edge);
      assert.equal(things.length, 12);
      for (const thing of things) assert.equal(thing.host, household.gateway.peer.id);
      const chosen = simulation.random.integer(12);
      const thing = things[chosen];
      assert(thing !== undefined);
      assert.equal(await household.read(edge, thing), 20 + chosen);
      const consumed = await household.consume(edge, thing);
      await simulation.clock.run(consumed.writeProperty('setpoint', chosen));
      assert.equal(household.sensors.written.get(`sensor-${chosen}`), chosen);
      assert.equal(await simulation.clock.run(consumed.invokeAction('identify')), `identify sensor-${chosen}`);
      await simulation.clock.run(consumed.close());
    }
  },
};

/** A device that comes, changes its availability, and goes is seen at a watching edge within a second each time. */
export const devicesComeAndGo: Scenario = {
  name: 'devices come and go',
  conditions: { jitterMs: 5 },
  run: async (simulation) => {
    const household = new Household(simulation, { sensors: 3 });
    await household.settle(2);
    const [edge] = household.edges;
    assert(edge !== undefined);
    const seen = new Map<string, string>();
    (async () => {
      for await (const { change, thing } of groupOf(edge).watchThings()) {
        simulation.note('saw', change, thing.title, thing.availability);
        if (change === 'removed') seen.delete(thing.title);
        else seen.set(thing.title, thing.availability);
      }
    })().catch((error: unknown) => simulation.note('watch failed', String(error)));
    await simulation.clock.runFor(3_000);
    assert.equal(seen.size, 3);
    household.sensors.add(7);
    await simulation.clock.runFor(1_000);
    assert.equal(seen.get('Sensor 7'), 'up');
    household.sensors.lose(7);
    await simulation.clock.runFor(1_000);
    assert.equal(seen.get('Sensor 7'), 'lost');
    household.sensors.remove(7);
    await simulation.clock.runFor(1_000);
    assert.equal(seen.has('Sensor 7'), false);
  },
};

/** Machines crash and lose power at random and come back: same ids, all links heal, observations go on. */
export const crashAndReturn: Scenario = {
  name: 'crash and return',
  conditions: { jitterMs: 3 },
  run: async (simulation) => {
    const { clock, random } = simulation;
    const household = new Household(simulation, { sensors: 4 });
    await household.settle(5);
    await clock.runFor(2_000);
    const [watcher, ...others] = household.edges;
    assert(watcher !== undefined);
    const before = await household.things(watcher);
    assert.equal(before.length, 4);
    const observed = before[0];
    assert(observed !== undefined);
    const notices = await household.observe(watcher, observed);
    await clock.runFor(1_000);
    for (let round = 0; round < 3; round++) {
      const victim =
        round === 0
          ? household.gateway
          : random.fraction() < 0.4
            ? household.gateway
            : others[random.integer(others.length)];
      assert(victim !== undefined);
      if (random.fraction() < 0.5) victim.crash();
      else victim.losePower();
      await clock.runFor(500 + random.integer(40_000));
      await clock.run(victim.start());
      await clock.runFor(45_000);
      household.sensors.measure(0, 100 + round);
      await clock.runFor(2_000);
      assert.equal(valuesOf(notices).at(-1), 100 + round, `observed after round ${round}`);
    }
    for (const edge of household.edges) {
      const after = await household.things(edge);
      assert.deepEqual(
        after.map(({ id }) => id),
        before.map(({ id }) => id),
      );
      assert.equal(await household.read(edge, observed), 102);
    }
  },
};

/** A gateway that nobody can reach for a while: nothing is lost for good, and all comes back by itself. */
export const partitionAndHeal: Scenario = {
  name: 'partition and heal',
  conditions: { jitterMs: 3 },
  run: async (simulation) => {
    const { clock, network, random } = simulation;
    const household = new Household(simulation, { sensors: 3 });
    await household.settle(6);
    await clock.runFor(2_000);
    const observers = household.edges;
    const things = await household.things(household.gateway);
    const notices = [];
    for (const edge of observers) {
      const thing = things[random.integer(3)];
      assert(thing !== undefined);
      notices.push({ index: Number(thing.title.slice(7)), taken: await household.observe(edge, thing) });
    }
    await clock.runFor(1_000);
    network.isolate('gateway');
    simulation.note('partition');
    await clock.runFor(10_000 + random.integer(120_000));
    for (let i = 0; i < 3; i++) household.sensors.measure(i, 50 + i);
    network.heal();
    simulation.note('healed');
    await clock.runFor(60_000);
    for (const { index, taken } of notices) assert.equal(valuesOf(taken).at(-1), 50 + index);
    for (const edge of observers) assert.equal((await household.things(edge)).length, 3);
  },
};

/** Messages both ways over pipes on links that lose, duplicate and reorder packets: each exactly once, in order. */
export const lossyPipes: Scenario = {
  name: 'lossy pipes',
  conditions: LOSSY,
  run: async (simulation) => {
    const { clock, network, random } = simulation;
    const count = 120;
    const a = await simulation.start('a', { listen: ['memd://a:7'], roles: ['gateway'] });
    const group = await clock.run(a.peer.createGroup({ name: 'home' }));
    const b = await simulation.start('b', { listen: ['memd://b:7'] });
    const code = await clock.run(a.peer.invite(group.id));
    await clock.run(b.peer.join(code));
    const got = { a: [] as number[], b: [] as number[] };
    const receive = (at: 'a' | 'b') => (message: Uint8Array) => {
      const number = new DataView(message.buffer, message.byteOffset).getUint32(0);
      assert(
        message.subarray(4).every((byte) => byte === number % 251),
        'a message came changed',
      );
      got[at].push(number);
      simulation.note(at, 'got', number, message.length);
    };
    const send = async (pipe: Pipe) => {
      for (let number = 0; number < count; number++) {
        const message = new Uint8Array(4 + random.integer(number % 10 === 0 ? 20_000 : 300)).fill(number % 251);
        new DataView(message.buffer).setUint32(0, number);
        await pipe.send(message, { timeoutMs: 200_000 });
      }
      await pipe.flush({ timeoutMs: 200_000 });
    };
    const accepted = Promise.withResolvers<Pipe>();
    group.listen({ name: 'numbers' }, (pipe) => accepted.resolve(pipe));
    const there = await clock.run(groupOf(b).connect({ peer: a.peer.id, name: 'numbers', timeoutMs: 60_000 }));
    const here = await clock.run(accepted.promise);
    here.receive(receive('a'));
    there.receive(receive('b'));
    const sending = Promise.all([send(here), send(there)]);
    sending.catch(() => undefined);
    await clock.runFor(random.integer(400));
    network.partition(['a'], ['b']);
    await clock.runFor(random.integer(20_000));
    network.heal();
    await clock.run(sending, 300_000);
    const expected = Array.from({ length: count }, (_, number) => number);
    assert.deepEqual(got.a, expected);
    assert.deepEqual(got.b, expected);
  },
};

/** Hundreds of peers on one LAN: all join, and each finds and reads a device. */
export const crowd: Scenario = {
  name: 'a crowd',
  conditions: { jitterMs: 2 },
  run: async (simulation) => {
    const household = new Household(simulation, { sensors: 5 });
    await household.settle(200, 100);
    await simulation.clock.runFor(2_000);
    for (let i = 0; i < 20; i++) {
      const edge = household.edges[simulation.random.integer(200)];
      assert(edge !== undefined);
      const things = await household.things(edge);
      assert.equal(things.length, 5);
      const thing = things[i % 5];
      assert(thing !== undefined);
      assert.equal(await household.read(edge, thing), 20 + (i % 5));
    }
    for (const edge of household.edges) assert(edge.peer.status().links.length >= 1, `${edge.name} has no link`);
  },
};

/** Those that are quick enough to run with many seeds. */
export const SCENARIOS: readonly Scenario[] = [
  joinAndRead,
  devicesComeAndGo,
  crashAndReturn,
  partitionAndHeal,
  lossyPipes,
];
