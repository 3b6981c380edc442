import assert from 'node:assert/strict';
import { createEdgePeer, type GroupId } from '@pipevine/runtime';
import { flood, type LinkGraph } from './flooding.ts';
import { groupOf } from './household.ts';
import { addressOf, discovered, isServed, timesUntil } from './overlay.ts';
import type { Machine, Simulation } from './simulation.ts';
import { createSybil } from './sybil.ts';

export interface WideOverlayInit {
  readonly rendezvous: number;
  readonly edges: number;
  /** Besides: members that pretend to be rendezvous. */
  readonly sybils?: number;
}

/** Edges that start in one second of virtual time. */
const STARTS_PER_SECOND = 50;
/** Sybils that each edge is linked to. */
const SYBILS_PER_EDGE = 4;
/** How long after the last question the answers are waited for, ms. */
const LAST_ANSWERS_MS = 10_000;
/** Links that a rendezvous takes: all edges at once, if need be. */
const RENDEZVOUS_LINKS = 2_048;

/** What came of many searches. */
export interface LookupCount {
  asked: number;
  right: number;
  /** Answers that do not match the question. */
  wrong: number;
}

interface Item {
  readonly owner: Machine;
  /** When its publisher was up and had published, monotonic ms of the simulation; undefined while it is down. */
  upSinceMs: number | undefined;
}

/** Edges that know some rendezvous by their addresses and nobody else: no multicast, no links among themselves. */
export class WideOverlay {
  readonly simulation: Simulation;
  readonly rendezvous: readonly Machine[];
  readonly edges: readonly Machine[];
  readonly sybils: readonly Machine[];
  readonly #items = new Map<Machine, Item>();

  constructor(simulation: Simulation, init: WideOverlayInit) {
    this.simulation = simulation;
    const names = Array.from({ length: init.rendezvous }, (_, i) => `rendezvous-${i}`);
    this.rendezvous = names.map((name) =>
      simulation.machine(name, {
        roles: ['gateway'],
        listen: [addressOf(name)],
        seeds: names.filter((other) => other !== name).map(addressOf),
        rendezvous: 'always',
        localDiscovery: false,
        limits: { endpoint: { maxLinks: RENDEZVOUS_LINKS, maxWanted: RENDEZVOUS_LINKS } },
      }),
    );
    const { sybils = 0 } = init;
    this.edges = Array.from({ length: init.edges }, (_, i) => {
      // Some of the sybils are as near to every edge as the rendezvous.
      const near = Array.from({ length: Math.min(SYBILS_PER_EDGE, sybils) }, (_, k) => `sybil-${(i + k) % sybils}`);
      return simulation.machine(`edge-${i}`, {
        seeds: [this.#admitterOf(i).name, ...near].map(addressOf),
        localDiscovery: false,
        create: createEdgePeer,
      });
    });
    this.sybils = Array.from({ length: sybils }, (_, i) => {
      const name = `sybil-${i}`;
      const seeds = [addressOf(this.#admitterOf(i).name)];
      const listen = [addressOf(name)];
      return simulation.machine(name, {
        roles: ['gateway'],
        listen,
        seeds,
        localDiscovery: false,
        create: createSybil,
      });
    });
  }

  /** Starts all; every rendezvous admits its share of the edges, each of which publishes one item. */
  async settle(): Promise<void> {
    const { clock } = this.simulation;
    const [first, ...others] = this.rendezvous;
    assert(first !== undefined);
    await clock.run(first.start());
    const { id } = await clock.run(first.peer.createGroup({ name: 'wide' }));
    const roles = ['gateway', 'administrator'];
    const code = await clock.run(first.peer.invite(id, { uses: Math.max(1, others.length), roles }));
    for (const machine of others) {
      await clock.run(machine.start());
      await clock.run(machine.peer.join(code, { addresses: [addressOf(first.name)], timeoutMs: 30_000 }));
    }
    await timesUntil(this.simulation, this.rendezvous, (one) => this.#seesAll(one), 60_000);
    await this.#admitAll(id, this.sybils);
    await this.#admitAll(id, this.edges);
    await timesUntil(this.simulation, this.edges, (edge) => this.isServed(edge), 30_000);
    this.simulation.note('settled', this.edges.length);
  }

  /** Whether an edge has a lease at a rendezvous that is entitled to be one, and runs. */
  isServed(edge: Machine): boolean {
    return isServed(edge, this.rendezvous);
  }

  /** The edges whose item everybody must find: up, and with it published, for `forMs`. */
  findable(forMs = 10_000): Machine[] {
    const nowMs = this.simulation.clock.monotonicMs();
    const found: Machine[] = [];
    for (const { owner, upSinceMs } of this.#items.values()) {
      if (upSinceMs !== undefined && nowMs - upSinceMs >= forMs) found.push(owner);
    }
    return found;
  }

  /** One edge looks for the item of another. Settles in virtual time: do not await it outside of the clock's run. */
  async lookup(asker: Machine, owner: Machine, count: LookupCount): Promise<void> {
    const owners = groupOf(owner).credential?.subject;
    const found = await discovered(asker, { kind: 'content', attributes: { owner: owner.name } });
    // Whoever ended meanwhile asked nothing, or is no longer there to be found.
    if (!asker.isRunning || !owner.isRunning) return;
    count.asked++;
    const right = found.filter(({ publisher, name }) => publisher === owners && name === owner.name).length;
    if (right === 1) count.right++;
    count.wrong += found.length - right;
    this.simulation.note(asker.name, 'looked up', owner.name, found.length);
  }

  /** So many lookups by random edges of random items, evenly over the time. Runs the clock. */
  async lookups(perSecond: number, durationMs: number): Promise<LookupCount> {
    const { clock } = this.simulation;
    const count: LookupCount = { asked: 0, right: 0, wrong: 0 };
    const underWay: Promise<void>[] = [];
    const endMs = clock.monotonicMs() + durationMs;
    while (clock.monotonicMs() < endMs) {
      const owners = this.findable();
      const askers = this.edges.filter((edge) => edge.isRunning && this.isServed(edge));
      const owner = this.#draw(owners);
      const asker = this.#draw(askers);
      if (asker !== undefined && owner !== undefined && asker !== owner) {
        // A process that is killed never settles what it was asked; the outcome of the others is counted as it comes.
        underWay.push(this.lookup(asker, owner, count).catch((error: unknown) => this.#failed(asker, error, count)));
      }
      await clock.runFor(1000 / perSecond);
    }
    await clock.runFor(LAST_ANSWERS_MS);
    return count;
  }

  /** From now on so large a part of the edges ends each minute, half of them without a word, and comes back a while later. */
  churn(perMinute: number): { stop(): void } {
    const { clock, random } = this.simulation;
    let stopped = false;
    const pauseMs = 60_000 / (perMinute * this.edges.length);
    const next = (): void => {
      if (stopped) return;
      const victim = this.#draw(this.edges.filter((edge) => edge.isRunning));
      if (victim !== undefined) void this.#restart(victim, 5_000 + random.integer(25_000));
      clock.setTimer(pauseMs * (0.5 + random.fraction()), next);
    };
    next();
    return {
      stop: () => {
        stopped = true;
      },
    };
  }

  /**
   * So many lookups, and the messages that they took: those of the time with lookups, less those of as long a time
   * without. A message is what the network delivers in one piece, acknowledgements and signs of life not counted.
   */
  async measureLookups(perSecond: number, durationMs: number): Promise<LookupCount & { readonly messages: number }> {
    const { simulation } = this;
    const atStart = simulation.messages;
    await simulation.clock.runFor(durationMs + LAST_ANSWERS_MS);
    const quiet = simulation.messages - atStart;
    const count = await this.lookups(perSecond, durationMs);
    return { ...count, messages: simulation.messages - atStart - 2 * quiet };
  }

  /** Messages of plain flooding over the links that there are now, on average over random pairs. */
  floodingMessages(pairs: number, ttlHops = 7): number {
    const graph = this.#graph();
    let messages = 0;
    for (let i = 0; i < pairs; i++) {
      const [asker, owner] = [this.#draw(this.edges), this.#draw(this.edges)];
      if (asker !== undefined && owner !== undefined) {
        messages += flood(graph, asker.peer.id, owner.peer.id, ttlHops).messages;
      }
    }
    return messages / pairs;
  }

  #graph(): LinkGraph {
    const graph = new Map<string, Set<string>>();
    for (const { isRunning, peer } of [...this.rendezvous, ...this.edges].filter((one) => one.isRunning)) {
      if (isRunning) graph.set(peer.id, new Set(peer.status().links.map((link) => link.peer)));
    }
    return graph;
  }

  #seesAll(machine: Machine): boolean {
    const { serving, peerview } = groupOf(machine).rendezvous();
    return serving && peerview.length === this.rendezvous.length;
  }

  /** The one rendezvous that a newcomer knows, and that admits it: so the work is shared from the start. */
  #admitterOf(index: number): Machine {
    const admitter = this.rendezvous[index % this.rendezvous.length];
    assert(admitter !== undefined, 'there is no rendezvous');
    return admitter;
  }

  /** In the order of their admitters' turns, a few in each second. */
  async #admitAll(group: GroupId, newcomers: readonly Machine[]): Promise<void> {
    const { clock } = this.simulation;
    const codes = new Map<Machine, string>();
    for (let i = 0; i < newcomers.length; i += STARTS_PER_SECOND) {
      // A new code each time: none runs out.
      for (const machine of this.rendezvous) {
        codes.set(machine, await clock.run(machine.peer.invite(group, { uses: STARTS_PER_SECOND })));
      }
      const starting = newcomers.slice(i, i + STARTS_PER_SECOND).map((machine, offset) => {
        const admitter = this.#admitterOf(i + offset);
        return this.#admit(machine, admitter, codes.get(admitter) ?? '');
      });
      await clock.run(Promise.all([...starting, this.#pause(1_000)]));
    }
  }

  async #admit(machine: Machine, admitter: Machine, code: string): Promise<void> {
    await machine.start();
    await machine.peer.join(code, { addresses: [addressOf(admitter.name)], timeoutMs: 60_000 });
    // What sybils publish they keep to themselves: nobody looks for it.
    if (!this.sybils.includes(machine)) await this.#publish(machine);
  }

  async #publish(machine: Machine): Promise<void> {
    const attributes = { owner: machine.name };
    await groupOf(machine).publish({ kind: 'content', key: 'item', name: machine.name, attributes });
    this.#items.set(machine, { owner: machine, upSinceMs: this.simulation.clock.monotonicMs() });
  }

  async #restart(machine: Machine, downMs: number): Promise<void> {
    const item = this.#items.get(machine);
    if (item !== undefined) item.upSinceMs = undefined;
    if (this.simulation.random.fraction() < 0.5) machine.crash();
    else await machine.stop();
    await this.#pause(downMs);
    await machine.start();
    if (item !== undefined) item.upSinceMs = this.simulation.clock.monotonicMs();
  }

  #failed(asker: Machine, error: unknown, count: LookupCount): void {
    if (!asker.isRunning) return;
    count.asked++;
    this.simulation.note(asker.name, 'lookup failed', String(error));
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.simulation.clock.setTimer(ms, resolve));
  }

  #draw<T>(from: readonly T[]): T | undefined {
    return from[this.simulation.random.integer(from.length)];
  }
}
