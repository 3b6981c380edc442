import { fileURLToPath } from 'node:url';
import type { LabDaemon } from './lab-daemon.ts';
import type { LabProcess } from './lab-process.ts';
import type { NetworkLab, Place } from './network-lab.ts';
import { until } from './until.ts';

const PROGRAM = fileURLToPath(new URL('mqtt-device.ts', import.meta.url));
const START_MS = 20_000;

/** An MQTT device at a place of the laboratory: no peer, it knows a broker and nothing else. Shows 20 at first. */
export class Thermometer {
  readonly name: string;
  readonly #process: LabProcess;

  private constructor(name: string, labProcess: LabProcess) {
    this.name = name;
    this.#process = labProcess;
  }

  static async start(lab: NetworkLab, place: Place, broker: string, name: string): Promise<Thermometer> {
    const labProcess = lab.run(place, [process.execPath, PROGRAM, broker, name]);
    await labProcess.waitFor((stdout) => (stdout.includes('ready\n') ? true : undefined), `${name} is ready`, START_MS);
    return new Thermometer(name, labProcess);
  }

  /** Resolves when the broker has acknowledged the value. */
  async measure(value: number): Promise<void> {
    this.#process.writeLine(String(value));
    const line = `measured ${value}\n`;
    await this.#process.waitFor((stdout) => (stdout.includes(line) ? true : undefined), `${value} was measured`);
  }
}

/** The values of a thermometer that come to an observing daemon. */
export class Observation {
  readonly values: number[] = [];
  readonly #ending = new AbortController();

  private constructor() {}

  /** Resolves with the first value. */
  static async start(daemon: LabDaemon, thing: string): Promise<Observation> {
    const observation = new Observation();
    const params = { thing, property: 'temperature' };
    void observation.#collect(daemon.items('observe', params, observation.#ending.signal));
    await observation.shows(undefined);
    return observation;
  }

  /** Resolves when this value, or any, has come; each must be larger than the one before: none older, none twice. */
  async shows(value: number | undefined, deadlineMs = 20_000): Promise<void> {
    const isThere = () => (value === undefined ? this.values.length > 0 : this.values.includes(value));
    await until(
      `the observed value ${value ?? ''}`,
      deadlineMs,
      () => (isThere() ? true : undefined),
      () => this.values.slice(-5),
    );
    const wrong = this.values.findIndex((one, index) => one <= (this.values[index - 1] ?? -Infinity));
    if (wrong !== -1) throw new Error(`Expected values that rise, got ${this.values.slice(wrong - 1, wrong + 2)}`);
  }

  end(): void {
    this.#ending.abort();
  }

  async #collect(items: AsyncIterable<Record<string, unknown>>): Promise<void> {
    try {
      for await (const { type, value } of items) if (type === 'value') this.values.push(Number(value));
    } catch {
      // The daemon has ended: what is missing shows.
    }
  }
}
