import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/** What a way does to packets. What is left out stays as it is; `WELL` is a good line. */
export interface WireConditions {
  readonly delayMs?: number;
  /** Up to so much is added to the delay of each packet; the order stays. */
  readonly jitterMs?: number;
  readonly lossPercent?: number;
  readonly duplicatePercent?: number;
  /** Packets that are held back for `reorderMs`, so that others overtake them. */
  readonly reorderPercent?: number;
  readonly reorderMs?: number;
  /** Packets of which one bit behind the IPv4 header flips: the checksums of UDP and TCP find that. */
  readonly corruptPercent?: number;
  /** 0: as fast as it goes. */
  readonly rateBitsPerSecond?: number;
  /** Packets that wait; more are dropped. */
  readonly queuePackets?: number;
  /** Larger IP packets vanish without a word; 0: none. */
  readonly mtuBytes?: number;
  /** Makes the same run come again. */
  readonly seed?: number;
}

export const WELL: WireConditions = {
  delayMs: 0,
  jitterMs: 0,
  lossPercent: 0,
  duplicatePercent: 0,
  reorderPercent: 0,
  reorderMs: 5,
  corruptPercent: 0,
  rateBitsPerSecond: 0,
  queuePackets: 1000,
  mtuBytes: 0,
};

/** From the LAN to the internet, the other way, or both. */
export type WireDirection = 'up' | 'down' | 'both';

/** Ethernet frames. */
export interface WayCounters {
  readonly arrived: number;
  readonly delivered: number;
  readonly lost: number;
  readonly overflowed: number;
  readonly tooLong: number;
  readonly cutOff: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly corrupted: number;
  readonly queued: number;
}

export interface WireCounters {
  readonly up: WayCounters;
  readonly down: WayCounters;
}

const KEYS: Readonly<Record<keyof WireConditions, readonly [key: string, factor: number]>> = {
  delayMs: ['delay_us', 1000],
  jitterMs: ['jitter_us', 1000],
  lossPercent: ['loss', 0.01],
  duplicatePercent: ['duplicate', 0.01],
  reorderPercent: ['reorder', 0.01],
  reorderMs: ['reorder_us', 1000],
  corruptPercent: ['corrupt', 0.01],
  rateBitsPerSecond: ['rate', 1],
  queuePackets: ['queue', 1],
  mtuBytes: ['mtu', 1],
  seed: ['seed', 1],
};
const WAYS: Readonly<Record<WireDirection, string>> = { up: 'ab', down: 'ba', both: 'both' };

/** The running `wire` program between a LAN's router and the internet. */
export class Wire {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #waiting: { resolve: (line: string) => void; reject: (error: Error) => void }[] = [];
  #ended: Error | undefined;

  private constructor(child: ChildProcessByStdio<Writable, Readable, Readable>) {
    this.#child = child;
    let complaint = '';
    child.stderr.on('data', (text: Buffer) => {
      complaint = (complaint + text.toString()).slice(-1000);
    });
    child.stdin.on('error', () => undefined);
    createInterface(child.stdout).on('line', (line) => this.#waiting.shift()?.resolve(line));
    const end = (why: string): void => {
      this.#ended ??= new Error(`the wire ended: ${why} ${complaint}`);
      for (const { reject } of this.#waiting.splice(0)) reject(this.#ended);
    };
    child.on('error', (error) => end(error.message));
    child.on('close', (code, signal) => end(`${code ?? signal}`));
  }

  /** Lays the wire; resolves when both interfaces exist. */
  static async start(program: string, ends: readonly [string, string, string, string]): Promise<Wire> {
    const wire = new Wire(spawn(program, ends, { stdio: ['pipe', 'pipe', 'pipe'] }));
    await wire.#line();
    return wire;
  }

  async shape(direction: WireDirection, conditions: WireConditions): Promise<void> {
    const settings = Object.entries(conditions).map(([name, value]) => {
      const known = KEYS[name as keyof WireConditions]; // entries() forgets the keys' type
      if (known === undefined || !(value >= 0)) throw new Error(`no condition of a wire: ${name} = ${value}`);
      return `${known[0]}=${value * known[1]}`;
    });
    await this.#command(`${WAYS[direction]} ${settings.join(' ')}`);
  }

  async cut(direction: WireDirection, isCut: boolean): Promise<void> {
    await this.#command(`${WAYS[direction]} cut=${isCut ? 1 : 0}`);
  }

  async counters(): Promise<WireCounters> {
    const { ab, ba } = JSON.parse(await this.#command('stat'));
    return { up: ab, down: ba };
  }

  async close(): Promise<void> {
    if (this.#ended !== undefined) return;
    const closed = once(this.#child, 'close');
    this.#child.stdin.end();
    await closed;
  }

  async #command(line: string): Promise<string> {
    const answer = this.#line();
    this.#child.stdin.write(`${line}\n`);
    const text = await answer;
    if (text.startsWith('error')) throw new Error(`wire: ${text}`);
    return text;
  }

  #line(): Promise<string> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }
}
