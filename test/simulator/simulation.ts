import { type Crypto, createPeer, type Peer, type PeerInit, type Platform } from '@pipevine/runtime';
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
import { simulatedCrypto } from './simulated-crypto.ts';
import { TraceHash } from './trace-hash.ts';

/** What a machine's peer is made with, each time it starts. */
export interface MachineInit extends Partial<Omit<PeerInit, 'platform' | 'seed' | 'name'>> {
  /** Runs once the peer stands; what it returns is closed before the peer is. */
  readonly program?: (peer: Peer, platform: Platform) => Promise<{ close(): Promise<void> } | undefined>;
  /** Makes the peer; default `createPeer`. */
  readonly create?: (init: PeerInit) => Promise<Peer>;
}

/** A machine of the simulation: its disk outlives the processes that run on it. */
export class Machine {
  readonly name: string;
  readonly #simulation: Simulation;
  #init: MachineInit;
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

  /**
   * Starts the peer: with a new disk at first, later with what was durable when the last process ended. `changes` hold from
   * now on.
   */
  async start(changes: MachineInit = {}): Promise<void> {
    this.#init = { ...this.#init, ...changes };
    const { clock, network, random, crypto } = this.#simulation;
    const process = network.boot(this.name);
    const storage = this.#storage?.crash(process.clock) ?? new MemoryStorage({ clock: process.clock });
    this.#process = process;
    this.#storage = storage;
    const forProcess = random.fork(`${this.name} ${clock.monotonicMs()}`);
    const platform = memoryPlatform({ process, storage, random: forProcess, crypto });
    const { program, create = createPeer, ...init } = this.#init;
    const seed = random.fork(`seed of ${this.name}`).bytes(32);
    const peer = await create({ platform, seed, name: this.name, ...init });
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

  /** As when its address changes: none of its connections goes on, and only it knows. */
  cutConnections(): void {
    for (const connection of [...(this.#process?.streams ?? []), ...(this.#process?.datagrams ?? [])])
      connection.abort();
    this.#simulation.note(this.name, 'connections cut');
  }

  /** The machine loses power: the other sides of its connections are not told either. */
  losePower(): void {
    this.#simulation.network.host(this.name).losePower();
    this.#peer = undefined;
    this.#simulation.note(this.name, 'lost power');
  }

  /** Says goodbye and writes what waits. The machine no longer counts as running from the call on. */
  async stop(): Promise<void> {
    const peer = this.#peer;
    this.#peer = undefined;
    await this.#running?.close();
    await peer?.close();
    await this.#storage?.close();
    this.#process?.crash();
    this.#simulation.note(this.name, 'stopped');
  }
}

export interface SimulationInit {
  readonly conditions?: Partial<NetworkConditions>;
  /** Default: `simulatedCrypto`. `nodeCrypto` gives the real one, which costs several times as much. */
  readonly crypto?: Crypto;
}

/** What is longer carries a message: acknowledgements have 27 to 29 bytes, signs of life 21 or 22, the end of an answer 36. */
const MAX_BARE_BYTES = 32;

/** What a whole run came to. */
export interface SimulationResult {
  /** SHA-256 over every delivery and every note, in hexadecimal. */
  readonly trace: string;
  /** Timers that fired, packets and segments delivered, notes. */
  readonly events: number;
  readonly virtualMs: number;
}

/**
 * Peers in one process and in virtual time. All that happens follows from the seed: the same seed and the same scenario
 * give the same trace, event by event.
 */
export class Simulation {
  readonly clock = new VirtualClock();
  readonly network: MemoryNetwork;
  readonly random: SeededRandom;
  readonly crypto: Crypto;
  readonly #machines: Machine[] = [];
  readonly #trace = new TraceHash();
  #messages = 0;

  constructor(seed: number | string, { conditions = {}, crypto = simulatedCrypto }: SimulationInit = {}) {
    this.random = seededRandom(seed);
    this.crypto = crypto;
    this.network = new MemoryNetwork({
      clock: this.clock,
      seed,
      conditions,
      onDelivered: (from, to, bytes) => {
        if (bytes.length > MAX_BARE_BYTES) this.#messages++;
        this.#trace.delivered(this.clock.monotonicMs(), from, to, bytes);
      },
    });
  }

  /** Packets and segments delivered so far that carry more than an acknowledgement or a sign of life. */
  get messages(): number {
    return this.#messages;
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

  /** Adds what happened to the trace. */
  note(...facts: (string | number | boolean)[]): void {
    this.#trace.note(this.clock.monotonicMs(), facts);
  }

  /** Stops all machines and gives the hash of the trace. */
  async finish(): Promise<SimulationResult> {
    const running = this.#machines.filter((machine) => machine.isRunning);
    await this.clock.run(Promise.all(running.map((machine) => machine.stop())));
    return {
      events: this.clock.eventCount + this.#trace.events,
      virtualMs: this.clock.monotonicMs(),
      trace: this.#trace.digest(),
    };
  }
}
