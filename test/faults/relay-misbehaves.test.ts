import type { Pipe } from '@pipevine/runtime';
import { afterEach, describe, expect, it } from 'vitest';
import { groupOf } from '../simulator/household.ts';
import { addressOf } from '../simulator/overlay.ts';
import type { Machine } from '../simulator/simulation.ts';
import { Home, MINUTE } from './home.ts';
import { type ForwardedFrame, type Habit, HostileRelay } from './hostile-relay.ts';

/** Within this time a relay that lets nothing pass is noticed and left, ms. */
const LIMIT_MS = 5_000;
/** Sent each way at once when the relay turns bad. */
const AT_ONCE = 20;

let home: Home;

afterEach(() => home.simulation.finish());

/** Two edges whose pipe goes over a relay that may turn bad, and two others whose pipe goes over the gateway. */
interface Scene {
  readonly crook: Machine;
  readonly binder: Machine;
  readonly relay: HostileRelay;
  readonly pipes: readonly [Pipe, Pipe];
  readonly got: readonly [string[], string[]];
  readonly others: readonly [Pipe, Pipe];
}

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (message: Uint8Array) => new TextDecoder().decode(message);

async function bind(from: Machine, to: Machine): Promise<readonly [Pipe, Pipe]> {
  const accepted = Promise.withResolvers<Pipe>();
  groupOf(to).listen({ name: 'chat' }, (pipe) => accepted.resolve(pipe));
  const init = { peer: to.peer.id, name: 'chat', timeoutMs: MINUTE };
  const bound = await home.clock.run(groupOf(from).connect(init));
  return [bound, await home.clock.run(accepted.promise)];
}

function collect(pipe: Pipe): string[] {
  const got: string[] = [];
  pipe.receive((message) => void got.push(text(message)));
  return got;
}

async function scene(seed: string): Promise<Scene> {
  home = await Home.make(seed);
  const { simulation, clock, gateway } = home;
  const { network } = simulation;
  const relay = new HostileRelay();
  const crook = await simulation.start('crook', {
    roles: ['gateway'],
    listen: [addressOf('crook')],
    seeds: [addressOf(gateway.name)],
    localDiscovery: false,
    create: relay.create,
  });
  const code = await clock.run(gateway.peer.invite(home.id, { roles: ['relay', 'member'] }));
  await clock.run(crook.peer.join(code, { addresses: [addressOf(gateway.name)] }));
  const [a, b] = [
    await home.edge('a', undefined, ['gateway', 'crook']),
    await home.edge('b', undefined, ['gateway', 'crook']),
  ];
  const [c, d] = [await home.edge('c'), await home.edge('d')];
  const apart = (): void => {
    network.partition(['a'], ['b']);
    network.partition(['c'], ['d']);
    network.partition(['c', 'd'], ['crook']);
  };
  apart();
  await clock.runUntil(() => [a, b].every((edge) => groupOf(edge).relays().leases.length === 2), MINUTE);
  await clock.runFor(5_000);
  const others = await bind(c, d);
  expect(others[0].path).toEqual({ via: gateway.peer.id, type: 'relayed' });
  // The gateway is out of reach until the pipe is bound.
  network.partition(['a'], ['gateway']);
  const pipes = await bind(a, b);
  network.heal();
  apart();
  await clock.runFor(10_000);
  expect(pipes[0].path).toEqual({ via: crook.peer.id, type: 'relayed' });
  return { crook, binder: a, relay, pipes, got: [collect(pipes[0]), collect(pipes[1])], others };
}

/** Forwards frames in another order, four at a time, or what there is after 100 ms. */
function shuffling(): Habit {
  let held: ForwardedFrame[] = [];
  const release = (): void => {
    const all = held;
    held = [];
    for (const frame of all.reverse()) frame.pass();
  };
  return (frame, clock) => {
    held.push(frame);
    if (held.length === 4) release();
    else if (held.length === 1) clock.setTimer(100, release);
  };
}

/** Habits that let nothing good pass: the relay must be left. */
const USELESS: Readonly<Record<string, Habit>> = {
  'drops everything': () => undefined,
  'drops what is sent and passes on acknowledgements': (frame) => {
    if (!frame.isData) frame.pass();
  },
  'delays everything by 10 s': (frame, clock) => void clock.setTimer(10_000, () => frame.pass()),
  'changes everything': (frame) => frame.pass((payload) => payload.map((byte, i) => (i === 3 ? byte ^ 0x10 : byte))),
  'drops everything and claims that it has arrived': (frame) => frame.claimArrival(),
};

/** Habits with which the pipe can live: the ends put right what the relay does. */
const BEARABLE: Readonly<Record<string, () => Habit>> = {
  'repeats everything, at once and a second later': () => (frame, clock) => {
    frame.pass();
    frame.pass();
    clock.setTimer(1_000, () => frame.pass());
  },
  'forwards in another order': shuffling,
  'drops every third frame': () => {
    let count = 0;
    return (frame) => {
      if (count++ % 3 !== 0) frame.pass();
    };
  },
};

/** Sends both ways the moment the relay turns bad, and goes on; all comes once, in order, and soon. */
async function expectAll({ relay, pipes, got, others }: Scene, habit: Habit): Promise<void> {
  const { clock } = home;
  const latencies: number[] = [];
  others[1].receive((message) => void latencies.push(clock.monotonicMs() - Number(text(message))));
  let stopped = false;
  const tick = (): void => {
    if (stopped) return;
    expect(others[0].trySend(bytes(`${clock.monotonicMs()}`))).toBe(true);
    clock.setTimer(50, tick);
  };
  tick();
  const sent: string[] = [];
  const send = (count: number): void => {
    for (let i = 0; i < count; i++) {
      const message = `${sent.length}`;
      sent.push(message);
      for (const pipe of pipes) expect(pipe.trySend(bytes(message))).toBe(true);
    }
  };
  send(AT_ONCE);
  await clock.runUntil(() => got.every(({ length }) => length === AT_ONCE), 1_000);
  relay.habit = habit;
  send(AT_ONCE);
  await clock.runUntil(() => got.every(({ length }) => length === sent.length), LIMIT_MS);
  for (let i = 0; i < 200; i++) {
    send(1);
    await clock.runFor(100);
  }
  await clock.run(Promise.all(pipes.map((pipe) => pipe.flush())));
  // Whatever was held back comes now.
  await clock.runFor(15_000);
  stopped = true;
  expect(got).toEqual([sent, sent]);
  expect(latencies.length).toBeGreaterThan(700);
  expect(Math.max(...latencies)).toBeLessThan(20);
}

describe('a relay that', () => {
  it.each(Object.entries(USELESS))('%s is left within 5 s; nothing is lost or doubled', async (name, habit) => {
    const one = await scene(name);
    await expectAll(one, habit);
    expect(one.pipes[0].path).toEqual({ via: home.gateway.peer.id, type: 'relayed' });
  });

  it.each(Object.entries(BEARABLE))('%s costs time, and nothing is lost or doubled', async (name, make) => {
    await expectAll(await scene(name), make());
  });

  it('lets nothing pass to whoever only listens is left within 5 s', async () => {
    const { relay, pipes, got } = await scene('listener');
    const { clock } = home;
    expect(pipes[1].trySend(bytes('before'))).toBe(true);
    await clock.runUntil(() => got[0].length === 1, 1_000);
    relay.habit = () => undefined;
    await clock.runFor(100);
    expect(pipes[1].trySend(bytes('after'))).toBe(true);
    await clock.runUntil(() => got[0].length === 2, LIMIT_MS);
    expect(got[0]).toEqual(['before', 'after']);
  });
});

describe('a relay that says in the name of peers that they have no such pipe', () => {
  it('keeps nobody from binding one over another relay', async () => {
    const { relay, crook, binder, pipes } = await scene('denies');
    relay.denies = true;
    const { remotePeer: peer } = pipes[0];
    for (let i = 0; i < 4; i++) {
      const pipe = await home.clock.run(groupOf(binder).connect({ peer, name: 'chat', timeoutMs: MINUTE }));
      expect(pipe.path).toEqual({ via: home.gateway.peer.id, type: 'relayed' });
    }
    expect(pipes[0].path?.via).toBe(crook.peer.id);
  });
});
