import { fileURLToPath } from 'node:url';
import type { LabProcess } from './lab-process.ts';
import type { NetworkLab, Place } from './network-lab.ts';

export interface Heard {
  readonly address: string;
  readonly port: number;
  readonly text: string;
}

const PROGRAM = fileURLToPath(new URL('udp-probe.ts', import.meta.url));

/** A UDP socket at a place of the laboratory. */
export class Probe {
  readonly #process: LabProcess;
  #commands = 0;

  private constructor(labProcess: LabProcess) {
    this.#process = labProcess;
  }

  static async open(lab: NetworkLab, place: Place, port: number, family: 'udp4' | 'udp6' = 'udp4'): Promise<Probe> {
    const labProcess = lab.run(place, [process.execPath, PROGRAM, family, String(port)]);
    await labProcess.waitFor((stdout) => (stdout.includes('ready\n') ? true : undefined), `${place} is ready`);
    return new Probe(labProcess);
  }

  /** What arrived, in order. */
  get heard(): Heard[] {
    return this.#process.stdout
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line));
  }

  /** Resolves when the system has taken the datagram. */
  send(host: string, port: number, text: string): Promise<void> {
    return this.#command(`send ${host} ${port} ${text}`);
  }

  /** Sends numbered datagrams of `bytes` bytes, at a pace that no buffer of the machine minds. */
  burst(host: string, port: number, count: number, bytes: number): Promise<void> {
    return this.#command(`burst ${host} ${port} ${count} ${bytes}`);
  }

  /** Resolves with the first datagram that has this text. */
  hears(text: string): Promise<Heard> {
    return this.#process.waitFor(() => this.heard.find((one) => one.text === text), `"${text}" arrived`);
  }

  async #command(line: string): Promise<void> {
    const number = ++this.#commands;
    this.#process.writeLine(line);
    await this.#process.waitFor((stdout) => {
      const answers = stdout.match(/^(sent|failed .*)$/gm) ?? [];
      return answers.length >= number ? true : undefined;
    }, `"${line}" was done`);
  }
}
