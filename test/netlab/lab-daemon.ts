import { join } from 'node:path';
import { ControlClient } from '../../cli/control/control-client.ts';
import type { Params } from '../../cli/control/json-rpc.ts';
import { controlSocketOf } from '../../cli/home/control-socket.ts';
import { daemonBundle } from './daemon-bundle.ts';
import type { LabProcess, LabProcessResult } from './lab-process.ts';
import type { NetworkLab, Place } from './network-lab.ts';

const START_MS = 30_000;
const CALL_MS = 30_000;

export interface LabDaemonInit {
  readonly lab: NetworkLab;
  readonly place: Place;
  /** Its home is the folder of its name in here. */
  readonly folder: string;
  readonly name: string;
  /** Of `pipevine up`. */
  readonly options: readonly string[];
}

/** A log line of a daemon. */
export interface LogLine {
  readonly level: string;
  readonly message: string;
  /** ms since 1970. */
  readonly atMs: number;
}

/** `pipevine up` at a place of the laboratory, and its control socket: a file, so networks do not matter to it. */
export class LabDaemon {
  readonly place: Place;
  readonly name: string;
  readonly home: string;
  readonly #init: LabDaemonInit;
  #process: LabProcess | undefined;
  #control: ControlClient | undefined;
  #ready: Params = {};

  constructor(init: LabDaemonInit) {
    this.#init = init;
    this.place = init.place;
    this.name = init.name;
    this.home = join(init.folder, init.name);
  }

  /** Starts it, again after an end; resolves when it listens. */
  async up(): Promise<void> {
    const { lab, options } = this.#init;
    const command = ['up', '--home', this.home, '--name', this.name, '--no-multicast', '--json', ...options];
    const started = lab.run(this.place, [process.execPath, await daemonBundle(), ...command]);
    this.#process = started;
    this.#ready = await started.waitFor(readyIn, `${this.name} is ready`, START_MS);
    this.#control = await ControlClient.connect(controlSocketOf(this.home));
  }

  /** Its peer id. */
  get peer(): string {
    return String(this.#ready.peer);
  }

  /** The group that it had at its start. */
  get group(): string {
    return String(this.#ready.group);
  }

  /** Since its last start. */
  get log(): readonly LogLine[] {
    const lines = this.#process?.stderr.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}')) ?? [];
    return lines.map((line) => {
      const { level, message, time } = JSON.parse(line);
      return { level, message, atMs: Date.parse(time) };
    });
  }

  /** Runs another command with this home, at this place; rejects when that is not exit code 0. */
  async command(...args: string[]): Promise<LabProcessResult> {
    const command = [process.execPath, await daemonBundle(), ...args, '--home', this.home];
    return this.#init.lab.finish(this.place, command);
  }

  /** A method of the control socket that answers with an object. */
  async call(method: string, params: Params = {}, timeoutMs = CALL_MS): Promise<Params> {
    const result = await this.#connected.call(method, params, { timeoutMs });
    return result as Params; // the methods that are called answer objects, or null where nobody looks
  }

  /** The items of a method, which are objects. */
  items(method: string, params: Params = {}, signal?: AbortSignal): AsyncGenerator<Params> {
    const options = signal === undefined ? {} : { signal };
    return this.#connected.stream(method, params, options) as AsyncGenerator<Params>; // streams emit objects
  }

  async list(method: string, params: Params = {}): Promise<Params[]> {
    const found: Params[] = [];
    for await (const item of this.items(method, params)) found.push(item);
    return found;
  }

  /** Ends it without a word; resolves when it is gone. */
  async kill(): Promise<void> {
    this.#process?.kill('SIGKILL');
    await this.#process?.ended;
    this.#control?.close();
  }

  /** It does nothing until `wake`, as a machine that sleeps. */
  sleep(): void {
    this.#process?.kill('SIGSTOP');
  }

  wake(): void {
    this.#process?.kill('SIGCONT');
  }

  get #connected(): ControlClient {
    if (this.#control === undefined) throw new Error(`${this.name} does not run; call up() first.`);
    return this.#control;
  }
}

function readyIn(stdout: string): Params | undefined {
  const line = stdout.split('\n').find((one) => one.startsWith('{"event":"ready"'));
  return line === undefined || !stdout.includes('\n') ? undefined : JSON.parse(line);
}
