import { createHash } from 'node:crypto';
import { createPeer, type Peer, type PeerInit, type Platform } from '@pipevine/runtime';
import {
  MemoryNetwork,
  type MemoryProcess,
  MemoryStorage,
  memoryPlatform,
  type NetworkConditions,
  type SeededRandom,
  seededRandom,
  VirtualClock,
} from '@pipevine/transports';

/** What a machine's peer is made with, each time it starts. */
export interface MachineInit extends Partial<Omit<PeerInit, 'platform' | 'seed' | 'name'>> {
  /** Runs once the peer stands; what it returns is closed before the peer is. */
  readonly program?: (peer: Peer, platform: Platform) => Promise<{ close(): Promise<void> } | undefined>;
}

/** A machine of the simulation: its disk outlives the processes that run on it. */
export class Machine {
  readonly name: string;
  readonly #simulation: Simulation;
  readonly #init: MachineInit;
  #process: MemoryProcess | undefined;
  #storage: MemoryStorage | undefined;
  #running: { close(): Promise<void> } | undefined;
  #peer: Peer | undefined;

  constructor(simulation: Simulation, name: string, init: MachineInit) {
    this.#simulation = simulation;
    this.name = name;
    this.#init = init;
  }

  get peer(): Peer {
    if (this.#peer === undefined) throw new Error(`${this.name} does not run`);
    return this.#peer;
  }

  get isRunning(): boolean {
    return this.#peer !== undefined;
  }

  /** Starts the peer: with a new disk at first, later with what was durable when the last process ended. */
  async start(): Promise<void> {
    const { clock, network, random } = this.#simulation;
    const process = network.boot(this.name);
    const storage = this.#storage?.crash(process.clock) ?? new MemoryStorage({ clock: process.clock });
    this.#process = process;
    this.#storage = storage;
    const platform = memoryPlatform({ process, storage, random: random.fork(`${this.name} ${clock.monotonicMs()}`) });
    const { program, ...init } = this.#init;
    const seed = random.fork(`seed of ${this.name}`).bytes(32);
    const peer = await createPeer({ platform, seed, name: this.name, ...init });
    peer.subscribe((notice) => this.#simulation.note(this.name, notice.type, 'peer' in notice ? notice.peer : ''));
    this.#running = await program?.(peer, platform);
    this.#peer = peer;
    this.#simulation.note(this.name, 'started', peer.id);
  }

  /** As SIGKILL: nothing is said goodbye to, nothing is written. */
  crash(): void {
    this.#process?.crash();
    this.#peer = undefined;
    this.#simulation.note(this.name, 'crashed');
  }

  /** The machine loses power: the other sides of its connections are not told either. */
  losePower(): void {
    this.#simulation.network.host(this.name).losePower();
    this.#peer = undefined;
    this.#simulation.note(this.name, 'lost power');
  }

  async stop(): Promise<void> {
    await this.#running?.close();
    await this.#peer?.close();
    await this.#storage?.close();
    this.#process?.crash();
    this.#peer = undefined;
    this.#simulation.note(this.name, 'stopped');
  }
}

/**
 * Peers in one process and in virtual time. All that happens follows from the seed: the same seed and the same scenario
 * give the same trace, event by event.
 */
export class Simulation {
  readonly clock = new VirtualClock();
  readonly network: MemoryNetwork;
  readonly random: SeededRandom;
  readonly #machines: Machine[] = [];
  readonly #trace = createHash('sha256');
  #events = 0;

  constructor(seed: number | string, conditions: Partial<NetworkConditions> = {}) {
    this.random = seededRandom(seed);
    this.network = new MemoryNetwork({ clock: this.clock, seed, conditions });
  }

  machine(name: string, init: MachineInit = {}): Machine {
    const machine = new Machine(this, name, init);
    this.#machines.push(machine);
    return machine;
  }

  /** Starts a machine in virtual time. */
  async start(name: string, init: MachineInit = {}): Promise<Machine> {
    const machine = this.machine(name, init);
    await this.clock.run(machine.start());
    return machine;
  }

  /** Adds what happened to the trace, with the time and how much the network has carried so far. */
  note(...facts: (string | number | boolean)[]): void {
    const { sent, delivered, lost } = this.network.counters;
    this.#trace.update(JSON.stringify([this.clock.monotonicMs(), this.clock.eventCount, sent, delivered, lost, facts]));
    this.#events++;
  }

  /** Stops all machines and gives the hash of the trace. */
  async finish(): Promise<{ readonly trace: string; readonly events: number; readonly virtualMs: number }> {
    const running = this.#machines.filter((machine) => machine.isRunning);
    await this.clock.run(Promise.all(running.map((machine) => machine.stop())));
    return {
      trace: this.#trace.digest('hex'),
      events: this.clock.eventCount + this.#events,
      virtualMs: this.clock.monotonicMs(),
    };
  }
}
