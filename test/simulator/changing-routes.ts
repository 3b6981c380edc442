import assert from 'node:assert/strict';
import { createEdgePeer, type Pipe, type PipeKind } from '@pipevine/runtime';
import type { NetworkConditions } from '@pipevine/transports';
import { groupOf } from './household.ts';
import { MessageStream, MIXED_SIZES, type Sizes, SMALL_SIZES } from './message-series.ts';
import { discovered } from './overlay.ts';
import type { Scenario } from './scenarios.ts';
import type { Machine, Simulation } from './simulation.ts';

/** What the uplinks do to packets. */
const UPLINK: Partial<NetworkConditions> = {
  delayMs: 2,
  jitterMs: 3,
  loss: 0.1,
  duplication: 0.05,
  reordering: 0.1,
  corruption: 0.01,
};
/** A pipe that nothing carries for so long gives up (resumeTimeoutMs), ms: before that, trouble has an end. */
const WITHOUT_PATH_MS = 30_000;
/** Then it is carried again within this time: peers dial, lease and bind once more while a tenth of all gets lost, ms. */
const CARRIED_AGAIN_MS = 28_000;
/** After the last trouble: until links that it has left dead are known to be (the keep-alive and its attempts), ms. */
const NOTICED_MS = 30_000;
/** The longest that one trouble lasts, ms. */
const TROUBLE_MS = 15_000;
/** Sending waits while there is no path. */
const SEND_TIMEOUT_MS = 600_000;
const SETTLE_MS = 120_000;
/** After so long two neighbours have shown each other that they are members, ms. */
const MET_MS = 10_000;

interface Traffic {
  /** In each direction. */
  readonly messages: number;
  readonly sizes: Sizes;
  readonly kind: PipeKind;
  /** Messages on end before a pause, at most; and the longest pause, ms. */
  readonly burst: number;
  readonly pauseMs: number;
  /** Longest time between two troubles, ms. */
  readonly calmMs: number;
  /** How many troubles at most; then all is repaired. */
  readonly troubles: number;
}

/** Two edges with a pipe between them, relays at which they lease, and what happens to the ways from one to the other. */
class Routes {
  readonly simulation: Simulation;
  readonly relays: readonly Machine[];
  readonly a: Machine;
  readonly b: Machine;
  /** Pairs of hosts between which nothing passes. */
  readonly #cut = new Map<string, readonly [string, string]>();
  readonly #repairs = new Set<Promise<void>>();
  #port = 7;

  constructor(simulation: Simulation) {
    const { random } = simulation;
    this.simulation = simulation;
    const names = ['relay-0', 'relay-1', 'relay-2'].slice(0, 2 + random.integer(2));
    // One of them may be reached by a stream: then the two links of a pipe differ.
    const scheme = (name: string): string => (name === 'relay-1' && random.fraction() < 0.3 ? 'mem' : 'memd');
    const addresses = new Map(names.map((name) => [name, `${scheme(name)}://${name}:7`]));
    const addressOf = (name: string): string[] => [addresses.get(name) ?? ''];
    this.relays = names.map((name) =>
      simulation.machine(name, {
        roles: ['gateway'],
        listen: addressOf(name),
        seeds: names.filter((other) => other !== name).flatMap(addressOf),
        rendezvous: 'always',
        localDiscovery: false,
      }),
    );
    const listens = random.fraction() < 0.6;
    const edge = (name: string): Machine =>
      simulation.machine(name, {
        listen: listens ? [`memd://${name}:7`] : [],
        seeds: names.flatMap(addressOf),
        localDiscovery: false,
        create: createEdgePeer,
      });
    this.a = edge('a');
    this.b = edge('b');
    simulation.note('relays', names.length, listens);
  }

  /** All are members, the edges lease at two relays. */
  async settle(): Promise<void> {
    const { clock } = this.simulation;
    const [first, ...others] = this.relays;
    assert(first !== undefined);
    await clock.run(first.start());
    const { id } = await clock.run(first.peer.createGroup({ name: 'home' }));
    const join = async (machine: Machine, roles: readonly string[]): Promise<void> => {
      await clock.run(machine.start());
      const code = await clock.run(first.peer.invite(id, { roles }));
      await clock.run(machine.peer.join(code, { addresses: first.peer.addresses, timeoutMs: SETTLE_MS }));
    };
    for (const relay of others) await join(relay, ['gateway', 'member']);
    for (const edge of [this.a, this.b]) await join(edge, ['member']);
    await clock.runUntil(
      () => [this.a, this.b].every((edge) => groupOf(edge).relays().leases.length === 2),
      SETTLE_MS,
      'both edges lease at two relays',
    );
    // The relays have asked them, too: only then do they forward for them.
    await clock.runFor(MET_MS);
    // What a has heard of the relays of b decides whether a pipe between them can go on over a relay.
    await clock.run(discovered(this.a, { kind: 'route', publisher: this.b.peer.id }));
    if (this.simulation.random.fraction() < 0.7) await this.directGoesOrComes();
  }

  /** Binds a pipe from a to b; gives both ends. `onMessage` is given what comes to b. */
  async bind(kind: PipeKind, onMessage: (message: Uint8Array) => void): Promise<readonly [Pipe, Pipe]> {
    const { clock } = this.simulation;
    const accepted = Promise.withResolvers<Pipe>();
    // While a binds it may give an attempt up after b has accepted it: the pipe over which something comes is the one.
    groupOf(this.b).listen({ name: 'numbers' }, (pipe) => {
      let greeted = false;
      pipe.receive((message) => {
        if (greeted) return onMessage(message);
        greeted = true;
        accepted.resolve(pipe);
      });
    });
    const connecting = groupOf(this.a).connect({ peer: this.b.peer.id, name: 'numbers', kind, timeoutMs: SETTLE_MS });
    const pipe = await clock.run(connecting);
    await clock.run(pipe.send(new Uint8Array(1)));
    return [pipe, await clock.run(accepted.promise)];
  }

  /** A relay dies, and comes back, the same as before. */
  async relayDies(): Promise<void> {
    const relay = this.#draw(this.relays.filter(({ isRunning }) => isRunning));
    if (relay === undefined) return;
    if (this.simulation.random.fraction() < 0.5) relay.crash();
    else relay.losePower();
    this.#later(() => relay.start());
  }

  /** A relay comes back at once, under another address, which nobody was told. The first keeps its own. */
  async relayMoves(): Promise<void> {
    const relay = this.#draw(this.relays.slice(1).filter(({ isRunning }) => isRunning));
    if (relay === undefined) return;
    relay.crash();
    this.#port++;
    await this.simulation.clock.run(relay.start({ listen: [`memd://${relay.name}:${this.#port}`] }));
  }

  /** The two edges reach each other, or do not any more. */
  async directGoesOrComes(): Promise<void> {
    const isCut = this.#cut.has('a b');
    this.#setCut('a', 'b', !isCut);
  }

  /** One edge does not reach one relay for a while. */
  async wayIsCut(): Promise<void> {
    const [edge, relay] = [this.#draw([this.a, this.b]), this.#draw(this.relays)];
    if (edge === undefined || relay === undefined) return;
    this.#setCut(edge.name, relay.name, true);
    this.#later(async () => this.#setCut(edge.name, relay.name, false));
  }

  /** An edge comes from another address: none of its connections goes on, and the others are not told. */
  async addressChanges(): Promise<void> {
    this.#draw([this.a, this.b])?.cutConnections();
  }

  /** Ends all trouble, at last also that which is still to end by itself. */
  async repair(): Promise<void> {
    const { clock, network } = this.simulation;
    this.#cut.clear();
    network.heal();
    await clock.run(Promise.all(this.#repairs));
    this.#cut.clear();
    network.heal();
  }

  #setCut(a: string, b: string, isCut: boolean): void {
    const { network } = this.simulation;
    this.simulation.note(a, b, isCut ? 'are cut' : 'are joined');
    if (isCut) this.#cut.set(`${a} ${b}`, [a, b]);
    else this.#cut.delete(`${a} ${b}`);
    network.heal();
    for (const [one, other] of this.#cut.values()) network.partition([one], [other]);
  }

  #later(repair: () => Promise<void>): void {
    const { random } = this.simulation;
    const done = sleep(this.simulation, random.integer(TROUBLE_MS)).then(repair);
    this.#repairs.add(done);
    done.then(
      () => this.#repairs.delete(done),
      () => undefined,
    );
  }

  #draw<T>(from: readonly T[]): T | undefined {
    return from[this.simulation.random.integer(from.length)];
  }
}

type Trouble = 'relayDies' | 'relayMoves' | 'directGoesOrComes' | 'wayIsCut' | 'addressChanges';

/** What may happen, each as often as it stands here. */
const TROUBLES: readonly Trouble[] = [
  'relayDies',
  'relayDies',
  'relayMoves',
  'directGoesOrComes',
  'wayIsCut',
  'wayIsCut',
  'addressChanges',
];

/** Messages both ways while the ways change: each exactly once, in order, byte for byte. */
async function run(simulation: Simulation, traffic: Traffic): Promise<void> {
  const { clock, random } = simulation;
  const routes = new Routes(simulation);
  await routes.settle();
  const streams = ['there', 'back'].map((name) => new MessageStream(name, random, traffic.messages, traffic.sizes));
  const [there, back] = streams;
  assert(there !== undefined && back !== undefined);
  const pipes = await routes.bind(traffic.kind, (message) => there.take(message));
  pipes[0].receive((message) => back.take(message));
  let ending: unknown;
  for (const pipe of pipes) {
    pipe.closed.then((error) => {
      simulation.note('pipe closed', error?.code ?? '');
      ending ??= error;
    });
  }
  let done = false;
  const sending = Promise.all([
    send(simulation, pipes[0], there, traffic),
    send(simulation, pipes[1], back, traffic),
  ]).then(() => {
    done = true;
  });
  sending.catch(() => undefined);
  const paths = new Set<string>();
  let withoutPathMs = 0;
  for (let troubles = 0; !done && troubles < traffic.troubles; troubles++) {
    const calmMs = random.integer(traffic.calmMs);
    await clock.runFor(calmMs);
    for (const stream of streams) stream.check();
    if (ending !== undefined) throw ending;
    const [{ path, connected }] = pipes;
    if (path !== undefined) paths.add(`${path.type} ${path.via}`);
    withoutPathMs = connected ? 0 : withoutPathMs + calmMs;
    if (withoutPathMs >= WITHOUT_PATH_MS) {
      simulation.note('without a path');
      await routes.repair();
      await clock.runUntil(() => pipes[0].connected, CARRIED_AGAIN_MS, 'the pipe has a path again');
      continue;
    }
    const trouble = TROUBLES[random.integer(TROUBLES.length)] ?? 'relayDies';
    simulation.note(trouble);
    await routes[trouble]();
  }
  await routes.repair();
  await clock.run(sending);
  // Over a path that dies meanwhile nobody could be told the end: links that the last trouble has left dead are found out,
  // and then the last message of each side finds a good path.
  await clock.runFor(NOTICED_MS);
  await clock.run(Promise.all([sendLast(pipes[0], there), sendLast(pipes[1], back)]));
  for (const stream of streams) stream.checkComplete();
  simulation.note('paths', paths.size);
  await clock.run(pipes[0].close());
  assert.equal(await clock.run(pipes[1].closed), undefined, 'the pipe ended in good order');
}

async function send(simulation: Simulation, pipe: Pipe, stream: MessageStream, traffic: Traffic): Promise<void> {
  const random = simulation.random.fork(`pauses ${stream.name}`);
  for (let left = random.integer(traffic.burst); stream.sent < stream.count - 1; left--) {
    const message = stream.next();
    if (!pipe.trySend(message)) await pipe.send(message, { timeoutMs: SEND_TIMEOUT_MS });
    if (left > 0) continue;
    await sleep(simulation, random.integer(traffic.pauseMs));
    left = random.integer(traffic.burst);
  }
  await pipe.flush({ timeoutMs: SEND_TIMEOUT_MS });
}

async function sendLast(pipe: Pipe, stream: MessageStream): Promise<void> {
  await pipe.send(stream.next(), { timeoutMs: SEND_TIMEOUT_MS });
  await pipe.flush({ timeoutMs: SEND_TIMEOUT_MS });
}

function sleep(simulation: Simulation, durationMs: number): Promise<void> {
  return new Promise((resolve) => simulation.clock.setTimer(durationMs, resolve));
}

/** Two thousand messages; what happens to the ways is drawn from the seed. */
export const changingRoutes: Scenario = {
  name: 'changing routes',
  conditions: UPLINK,
  run: (simulation) =>
    run(simulation, {
      messages: 1_000,
      sizes: MIXED_SIZES,
      kind: simulation.random.fraction() < 0.5 ? 'reliable' : 'secure',
      burst: 60,
      pauseMs: 1_500,
      calmMs: 8_000,
      troubles: 30,
    }),
};

/** A million messages on one reliable pipe, while the ways change all the time. */
export const million: Scenario = {
  name: 'a million messages',
  conditions: UPLINK,
  run: (simulation) =>
    run(simulation, {
      messages: 500_000,
      sizes: SMALL_SIZES,
      kind: 'reliable',
      burst: 4_000,
      pauseMs: 500,
      calmMs: 4_000,
      troubles: 1_000,
    }),
};
