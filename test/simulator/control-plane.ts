import assert from 'node:assert/strict';
import { createEdgePeer } from '@pipevine/runtime';
import { groupOf } from './household.ts';
import { addressOf, discovered, isServed, percentile, timesUntil } from './overlay.ts';
import type { Scenario } from './scenarios.ts';
import type { Machine, Simulation } from './simulation.ts';

/** A lease is back after its rendezvous is gone, ms. */
const LEASE_LIMIT_MS = 5_000;
/** Within this time revocation reaches every member that is online, ms. */
const REVOCATION_LIMIT_MS = 60_000;
/** What has been published for so long is found by everybody in reach, ms. */
const FOUND_AFTER_MS = 10_000;
/** All is found by everybody when there was no trouble for this long, ms: the longest pause of a wanted link, and a little. */
const QUIET_MS = 45_000;

/** A small group in trouble: who is in it, what each has published, and what may befall it. */
class Neighbourhood {
  readonly simulation: Simulation;
  readonly administrator: Machine;
  readonly gateways: Machine[];
  readonly edges: Machine[] = [];
  /** On one LAN all hear each other; otherwise only gateways are known, by their addresses. */
  readonly #onLan: boolean;
  readonly #revoked = new Set<Machine>();
  #code = '';

  constructor(simulation: Simulation) {
    const { random } = simulation;
    this.simulation = simulation;
    this.#onLan = random.fraction() < 0.5;
    const names = ['gateway-0', 'gateway-1', 'gateway-2'].slice(0, 2 + random.integer(2));
    this.gateways = names.map((name) =>
      simulation.machine(name, {
        roles: ['gateway'],
        listen: [addressOf(name)],
        seeds: names.filter((other) => other !== name).map(addressOf),
        rendezvous: 'always',
        localDiscovery: this.#onLan,
      }),
    );
    const [first] = this.gateways;
    assert(first !== undefined);
    this.administrator = first;
    simulation.note(this.#onLan ? 'lan' : 'wide', names.length);
  }

  /** Running, not revoked. */
  get members(): Machine[] {
    return [...this.gateways, ...this.edges].filter((machine) => machine.isRunning && !this.#revoked.has(machine));
  }

  async settle(edges: number): Promise<void> {
    const { clock } = this.simulation;
    await clock.run(Promise.all(this.gateways.map((gateway) => gateway.start())));
    const { id } = await clock.run(this.administrator.peer.createGroup({ name: 'neighbourhood' }));
    const roles = ['gateway', 'member'];
    const forGateways = await clock.run(this.administrator.peer.invite(id, { uses: 8, roles }));
    this.#code = await clock.run(this.administrator.peer.invite(id, { uses: 64 }));
    const others = this.gateways.slice(1);
    await clock.run(Promise.all(others.map((gateway) => gateway.peer.join(forGateways, this.#where()))));
    for (let i = 0; i < edges; i++) await this.admit();
    await this.leased();
  }

  /** One more edge comes; ten seconds later others find what it has published. */
  async join(): Promise<void> {
    await this.admit();
    await this.simulation.clock.runFor(FOUND_AFTER_MS);
  }

  /** One more edge joins by the code and publishes something. */
  async admit(): Promise<void> {
    const { clock, random } = this.simulation;
    const name = `edge-${this.edges.length}`;
    const edge = await this.simulation.start(name, {
      listen: this.#onLan && random.fraction() < 0.5 ? [addressOf(name)] : [],
      seeds: this.#onLan ? [] : this.gateways.map((gateway) => addressOf(gateway.name)),
      localDiscovery: this.#onLan,
      create: createEdgePeer,
    });
    await clock.run(edge.peer.join(this.#code, this.#where()));
    this.edges.push(edge);
    await this.publish(edge);
  }

  async publish(machine: Machine): Promise<void> {
    const attributes = { owner: machine.name, shelf: String(this.simulation.random.integer(3)) };
    const publishing = groupOf(machine).publish({ kind: 'content', key: 'item', name: machine.name, attributes });
    await this.simulation.clock.run(publishing);
  }

  /** Everybody who is not served now is within the limit. */
  async leased(): Promise<void> {
    const took = await timesUntil(this.simulation, this.members, (one) => isServed(one, this.gateways), LEASE_LIMIT_MS);
    this.simulation.note('leased', percentile(took, 1));
  }

  /** One member looks for what another has published, by an attribute. */
  async lookup(): Promise<void> {
    const { simulation } = this;
    const asker = this.#draw(this.members);
    const owner = this.#draw(this.edges.filter((edge) => edge.isRunning && !this.#revoked.has(edge)));
    if (asker === undefined || owner === undefined) return;
    const query = { kind: 'content', attributes: { owner: owner.name } } as const;
    const found = await simulation.clock.run(discovered(asker, query));
    simulation.note(asker.name, 'looked up', owner.name, found.length);
    const publishers = found.map(({ publisher }) => publisher);
    assert.deepEqual(publishers, [owner.peer.id], `${asker.name} looked for what ${owner.name} has published`);
  }

  /** A gateway that is not the administrator, or an edge, dies and comes back a while later, the same peer as before. */
  async crashAndReturn(): Promise<void> {
    const { clock, random } = this.simulation;
    const victim = this.#draw(this.members.filter((machine) => machine !== this.administrator));
    if (victim === undefined) return;
    const { id } = victim.peer;
    if (random.fraction() < 0.5) victim.crash();
    else victim.losePower();
    await clock.runFor(random.integer(20_000));
    await clock.run(victim.start());
    assert.equal(victim.peer.id, id);
    await clock.runFor(QUIET_MS);
    await this.leased();
  }

  /** A rendezvous dies for good: leases are back at another, nothing that was indexed is lost. */
  async killRendezvous(): Promise<void> {
    const others = this.gateways.filter((gateway) => gateway.isRunning && gateway !== this.administrator);
    const victim = this.#draw(others);
    if (victim === undefined) return;
    victim.crash();
    await this.leased();
    await this.lookup();
  }

  /** Some cannot reach the others for a while. */
  async partition(): Promise<void> {
    const { clock, network, random } = this.simulation;
    const sides: [string[], string[]] = [[], []];
    for (const { name } of [...this.gateways, ...this.edges]) sides[random.integer(2)]?.push(name);
    network.partition(sides[0], sides[1]);
    this.simulation.note('partition', ...sides[0]);
    await clock.runFor(5_000 + random.integer(60_000));
    network.heal();
    this.simulation.note('healed');
    await clock.runFor(QUIET_MS);
    await this.leased();
  }

  /** An edge is revoked: no member finds what it publishes, and it finds nothing, within a minute. */
  async revoke(): Promise<void> {
    const { clock } = this.simulation;
    const running = this.edges.filter((edge) => edge.isRunning && !this.#revoked.has(edge));
    const thief = running.length > 3 ? this.#draw(running) : undefined;
    if (thief === undefined) return;
    await clock.run(groupOf(this.administrator).revoke(thief.peer.id));
    this.#revoked.add(thief);
    this.simulation.note('revoked', thief.name);
    await clock.runFor(REVOCATION_LIMIT_MS);
    const finders: string[] = [];
    for (const member of this.members) {
      const found = await clock.run(discovered(member, { kind: 'content', attributes: { owner: thief.name } }));
      if (found.length > 0) finders.push(member.name);
    }
    assert.deepEqual(finders, [], `still find what ${thief.name} published, who is revoked`);
  }

  /** After all that: every member finds what every running edge has published, and nothing has overflowed. */
  async checkAll(): Promise<void> {
    const { simulation } = this;
    const { clock } = simulation;
    await clock.runFor(QUIET_MS);
    const publishing = this.edges.filter((edge) => edge.isRunning && !this.#revoked.has(edge));
    for (const member of this.members) {
      const found = await clock.run(discovered(member, { kind: 'content' }));
      const publishers = new Set(found.map(({ publisher }) => publisher));
      for (const { name, peer } of publishing) {
        assert(publishers.has(peer.id), `${member.name} does not find what ${name} has published`);
      }
      for (const [queue, { used, limit }] of Object.entries(member.peer.status().queues)) {
        assert(used <= limit, `${member.name}: ${queue} holds ${used} of at most ${limit}`);
      }
    }
    simulation.note('all found', publishing.length);
  }

  #where(): { readonly addresses: readonly string[]; readonly timeoutMs: number } {
    return { addresses: this.#onLan ? [] : [addressOf(this.administrator.name)], timeoutMs: 60_000 };
  }

  #draw<T>(from: readonly T[]): T | undefined {
    return from[this.simulation.random.integer(from.length)];
  }
}

type Step = Exclude<
  { [K in keyof Neighbourhood]: Neighbourhood[K] extends () => Promise<void> ? K : never }[keyof Neighbourhood],
  'admit' | 'checkAll' | 'leased'
>;

/** What may happen, each as often as it stands here. */
const STEPS: readonly Step[] = ['lookup', 'lookup', 'join', 'crashAndReturn', 'killRendezvous', 'partition', 'revoke'];

/** Eight to twelve peers in one group; what happens to them is drawn from the seed. */
export const controlPlane: Scenario = {
  name: 'control plane',
  run: async (simulation) => {
    const { random, clock, network } = simulation;
    network.setConditions({
      jitterMs: random.integer(10),
      loss: random.fraction() < 0.5 ? 0 : random.fraction() * 0.02,
    });
    const neighbourhood = new Neighbourhood(simulation);
    await neighbourhood.settle(6 + random.integer(4));
    await clock.runFor(FOUND_AFTER_MS);
    for (let i = 0; i < 3 + random.integer(3); i++) {
      const step = STEPS[random.integer(STEPS.length)] ?? 'lookup';
      simulation.note('step', step);
      await neighbourhood[step]();
    }
    await neighbourhood.checkAll();
  },
};
