import {
  type CreateGroupInit,
  createEdgePeer,
  type GroupId,
  type Identity,
  identityFromSeed,
  messaging,
  type PeerInit,
  PipevineError,
} from '@pipevine/runtime';
import { nodeCrypto, seededRandom } from '@pipevine/transports';
import { groupOf } from '../simulator/household.ts';
import { addressOf, discovered, isServed, timesUntil } from '../simulator/overlay.ts';
import { type Machine, type MachineInit, Simulation } from '../simulator/simulation.ts';
import { HostileMember } from './hostile-member.ts';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** Stretching takes real time, of which virtual time knows nothing. */
const crypto = {
  ...nodeCrypto,
  stretch: async (password: Uint8Array, salt: Uint8Array) => nodeCrypto.hmacSha256(salt, password),
};

/** A group of real peers in virtual time, with real signatures: a gateway that keeps its authority, and who joins. */
export class Home {
  readonly simulation: Simulation;
  readonly gateway: Machine;
  readonly #group: GroupId;
  readonly #rendezvous: Machine[];

  private constructor(simulation: Simulation, gateway: Machine) {
    this.simulation = simulation;
    this.gateway = gateway;
    this.#rendezvous = [gateway];
    this.#group = groupOf(gateway).id;
  }

  static async make(seed: string, init: MachineInit = {}, group: Partial<CreateGroupInit> = {}): Promise<Home> {
    const simulation = new Simulation(seed, { crypto });
    const gateway = await simulation.start('gateway', {
      roles: ['gateway'],
      listen: [addressOf('gateway')],
      rendezvous: 'always',
      localDiscovery: false,
      ...init,
    });
    await simulation.clock.run(gateway.peer.createGroup({ name: 'home', ...group }));
    return new Home(simulation, gateway);
  }

  get clock() {
    return this.simulation.clock;
  }

  get id(): GroupId {
    return this.#group;
  }

  /** An edge that has joined, has a lease, and publishes one item under its name. */
  async edge(name: string, roles?: readonly string[], seeds = [this.gateway.name]): Promise<Machine> {
    const machine = await this.simulation.start(name, {
      listen: [addressOf(name)],
      seeds: seeds.map(addressOf),
      localDiscovery: false,
      create: (init) => createEdgePeer(init, [messaging]),
    });
    await this.#join(machine, roles);
    await timesUntil(this.simulation, [machine], (one) => isServed(one, this.#rendezvous), MINUTE);
    await this.clock.run(groupOf(machine).publish({ kind: 'content', key: 'item', name: `item of ${name}` }));
    await this.clock.runFor(1_000);
    return machine;
  }

  /** Another gateway, a rendezvous and administrator. */
  async administrator(name: string, seeds = [this.gateway.name]): Promise<Machine> {
    const machine = await this.simulation.start(name, {
      roles: ['gateway'],
      listen: [addressOf(name)],
      seeds: seeds.map(addressOf),
      rendezvous: 'always',
      localDiscovery: false,
    });
    await this.#join(machine, ['gateway', 'administrator']);
    this.#rendezvous.push(machine);
    await this.clock.runFor(10_000);
    return machine;
  }

  /** A member that keeps no rules, with a good credential; linked to the gateway. */
  async hostile(name: string, roles: readonly string[] = ['member']): Promise<HostileMember> {
    const member = this.raw(name, await this.credential(name, roles));
    await this.clock.run(member.link(addressOf(this.gateway.name)));
    return member;
  }

  /** The same with any credential, linked to nobody. */
  raw(name: string, credential: Uint8Array, identity = identityOf(name)): HostileMember {
    return new HostileMember({
      network: this.simulation.network,
      name: `${name}-host`,
      identity,
      group: this.id,
      credential,
    });
  }

  /** The credential of one who has joined as an ordinary peer, and is gone. */
  async credential(name: string, roles: readonly string[]): Promise<Uint8Array> {
    const { simulation, clock, gateway } = this;
    const code = await clock.run(gateway.peer.invite(this.id, { roles }));
    const create = (init: PeerInit) => createEdgePeer({ ...init, seed: seedOf(name) });
    const machine = await simulation.start(`${name}-joining`, { localDiscovery: false, create });
    const joined = await clock.run(machine.peer.join(code, { addresses: [addressOf(gateway.name)] }));
    const { encoded } = joined.credential ?? {};
    machine.crash();
    if (encoded === undefined) throw new Error(`${name} has no credential`);
    await clock.runFor(1_000);
    return encoded;
  }

  /** How many of the edges' items each of the edges finds, in the order of the edges. */
  async lookups(edges: readonly Machine[]): Promise<number[]> {
    const searches = edges.map((edge) => discovered(edge, { kind: 'content', name: 'item of *' }));
    return (await this.clock.run(Promise.all(searches))).map(({ length }) => length);
  }

  /** A bound or counter of a machine, by its name in `status`. */
  dropped(name: string, machine = this.gateway): number {
    const bound = machine.peer.status().queues[name];
    if (bound === undefined) throw new Error(`${machine.name} shows no "${name}"`);
    return bound.dropped;
  }

  async #join(machine: Machine, roles: readonly string[] = ['member']): Promise<void> {
    const code = await this.clock.run(this.gateway.peer.invite(this.id, { roles }));
    await this.clock.run(machine.peer.join(code, { addresses: [addressOf(this.gateway.name)] }));
  }
}

function seedOf(name: string): Uint8Array {
  return seededRandom(`seed of ${name}`).bytes(32);
}

/** Whoever is called so, the same each time. */
export function identityOf(name: string): Identity {
  return identityFromSeed(nodeCrypto, seedOf(name));
}

/** The error that an attempt ended with; undefined when it did not. */
export async function failureOf(attempt: Promise<unknown>): Promise<PipevineError | undefined> {
  try {
    await attempt;
    return undefined;
  } catch (error) {
    if (error instanceof PipevineError) return error;
    throw error;
  }
}
