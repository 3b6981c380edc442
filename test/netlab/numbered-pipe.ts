import { setTimeout as pause } from 'node:timers/promises';
import type { LabDaemon } from './lab-daemon.ts';
import { until } from './until.ts';

/** Numbers in one write, and the time between two, ms: about 1,000 a second, which any line carries. */
const BATCH = 20;
const BATCH_PAUSE_MS = 20;
/** A pipe that waits for a way takes nothing meanwhile. */
const WRITE_MS = 180_000;

/** A pipe by name whose messages are 0, 1, 2 ...: what is lost, doubled or overtaken shows. */
export class NumberedPipe {
  /** What arrived, in its order. */
  readonly received: number[] = [];
  /** From the first attempt to bind until the first message was there, ms. */
  firstMs = Number.NaN;
  readonly #sender: LabDaemon;
  readonly #pipe: string;
  readonly #listening: AbortController;
  #sent = 0;
  #failure: unknown;
  #pumping: Promise<void> | undefined;
  #stopped = false;
  #paddingBytes = 0;

  private constructor(sender: LabDaemon, pipe: string, listening: AbortController, received: number[]) {
    this.#sender = sender;
    this.#pipe = pipe;
    this.#listening = listening;
    this.received = received;
  }

  /** Listens at one daemon, and binds at the other until that works; the first message is there when it resolves. */
  static async open(sender: LabDaemon, listener: LabDaemon, name: string): Promise<NumberedPipe> {
    const listening = new AbortController();
    const received: number[] = [];
    const items = listener.items('pipe.listen', { name }, listening.signal);
    await items.next();
    void collect(items, received);
    const from = performance.now();
    let last: unknown;
    const bound = await until(
      `${sender.name} to bind "${name}" at ${listener.name}`,
      20_000,
      async () => {
        const sending = sender.items('pipe.send', { name, to: listener.peer });
        try {
          const { value } = await sending.next();
          return { pipe: String(value.pipe), sending };
        } catch (error) {
          last = String(error);
          return undefined;
        }
      },
      () => last,
    );
    const pipe = new NumberedPipe(sender, bound.pipe, listening, received);
    void pipe.#watch(bound.sending);
    await pipe.send(1);
    await pipe.arrived(1);
    pipe.firstMs = performance.now() - from;
    return pipe;
  }

  get sent(): number {
    return this.#sent;
  }

  /** Sends so many more numbers, each with so many bytes behind it; resolves when the pipe has taken them. */
  async send(count: number, paddingBytes = 0): Promise<void> {
    const data = Array.from({ length: count }, (_, index) =>
      Buffer.from(`${this.#sent + index} ${'.'.repeat(paddingBytes)}`).toString('base64'),
    );
    this.#sent += count;
    await this.#sender.call('pipe.write', { pipe: this.#pipe, data }, WRITE_MS);
  }

  /** Sends at a steady pace from now on. */
  start(paddingBytes = 0): void {
    this.#paddingBytes = paddingBytes;
    this.#stopped = false;
    this.#pumping = this.#pump();
  }

  /** Sends no more; resolves when all has arrived, exactly once and in order. */
  async stop(deadlineMs = 60_000): Promise<void> {
    this.#stopped = true;
    await this.#pumping;
    await this.arrived(this.#sent, deadlineMs);
    this.check();
  }

  /** Resolves when so many numbers have arrived. */
  async arrived(count: number, deadlineMs = 20_000): Promise<void> {
    await until(
      `${count} numbers`,
      deadlineMs,
      () => {
        if (this.#failure !== undefined) throw new Error('The pipe ended.', { cause: this.#failure });
        return this.received.length >= count ? true : undefined;
      },
      () => this.received.length,
    );
  }

  /** Throws unless what arrived is 0, 1, 2 ... */
  check(): void {
    const wrong = this.received.findIndex((number, index) => number !== index);
    if (wrong === -1) return;
    throw new Error(`Expected ${wrong} there, got ${this.received.slice(wrong, wrong + 5)}, of ${this.#sent} sent.`);
  }

  /** Ends both sides. */
  close(): void {
    this.#stopped = true;
    this.#listening.abort();
  }

  async #pump(): Promise<void> {
    try {
      while (!this.#stopped) {
        await this.send(BATCH, this.#paddingBytes);
        await pause(BATCH_PAUSE_MS);
      }
    } catch (error) {
      this.#failure ??= error;
    }
  }

  async #watch(sending: AsyncIterable<unknown>): Promise<void> {
    try {
      for await (const _ of sending);
    } catch (error) {
      this.#failure = error;
    }
  }
}

async function collect(items: AsyncIterable<Record<string, unknown>>, received: number[]): Promise<void> {
  try {
    for await (const { type, data } of items) {
      if (type === 'message') received.push(Number.parseInt(Buffer.from(String(data), 'base64').toString(), 10));
    }
  } catch {
    // The listening daemon was ended: what is missing shows.
  }
}
