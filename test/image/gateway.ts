import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort, PipevineProcess, pipevine, pipevineJson } from '../e2e/pipevine-process.ts';
import { until } from '../netlab/until.ts';
import { HOST_ADDRESS } from './emulated-board.ts';

const READY_MS = 60_000;
/** Between two questions: each is a process, which takes from the emulator. */
const PAUSE_MS = 2_000;
const ENVIRONMENT = { PIPEVINE_MULTICAST: 'false' };

/** A gateway of this machine, on loopback only, which boards in an emulator reach by the address of their host. */
export class Gateway {
  readonly #home: string;
  readonly #tcp: number;
  readonly #mqtt: number;
  #process: PipevineProcess | undefined;

  private constructor(home: string, tcp: number, mqtt: number) {
    this.#home = home;
    this.#tcp = tcp;
    this.#mqtt = mqtt;
  }

  static async start(folder: string): Promise<Gateway> {
    const gateway = new Gateway(join(folder, 'gateway'), await freePort(), await freePort());
    await gateway.start();
    return gateway;
  }

  /** Where a board finds it. */
  get seed(): string {
    return `tcp://${HOST_ADDRESS}:${this.#tcp}`;
  }

  async start(): Promise<void> {
    const listen = ['--listen', `tcp://127.0.0.1:${this.#tcp}`, '--mqtt-listen', `127.0.0.1:${this.#mqtt}`];
    this.#process = new PipevineProcess(['up', '--home', this.#home, ...listen, '--json'], ENVIRONMENT);
    await this.#process.json((value) => (value.event === 'ready' ? true : undefined), READY_MS);
  }

  async stop(): Promise<void> {
    await this.#process?.end();
  }

  /** A code that admits one machine. */
  async code(): Promise<string> {
    const [invitation] = await pipevineJson(['invite', '--uses', '1', '--home', this.#home]);
    return String(invitation?.code);
  }

  /** The id of the peer of this name, as soon as there is a link to it. `lastSeen` is told when there is none. */
  async peer(name: string, deadlineMs: number, lastSeen: () => unknown): Promise<string> {
    const ask = async () => {
      const { stdout } = await this.#command('peers');
      const peers = stdout
        .split('\n')
        .flatMap((line): Record<string, unknown>[] => (line === '' ? [] : [JSON.parse(line)]));
      const found = peers.find((peer) => peer.name === name && typeof peer.address === 'string');
      return found && String(found.id);
    };
    return until(`a link to the peer ${name}`, deadlineMs, ask, lastSeen);
  }

  /** A property of a thing, as soon as it can be read. */
  async read(thing: string, property: string, deadlineMs: number): Promise<unknown> {
    let last = '';
    const ask = async () => {
      const { code, stdout, stderr } = await this.#command('read', thing, property);
      last = stderr;
      return code === 0 ? { value: Object(JSON.parse(stdout)).value } : undefined;
    };
    return (await until(`${property} of ${thing}`, deadlineMs, ask, () => last)).value;
  }

  /** On a busy machine one may run out of time: who asks tries again. */
  async #command(...words: readonly string[]) {
    await pause(PAUSE_MS);
    return pipevine([...words, '--home', this.#home, '--json']);
  }
}
