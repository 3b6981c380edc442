import {
  type Connection,
  type ConnectionHandler,
  type EndpointAddress,
  PipevineError,
  type Timer,
} from '@pipevine/runtime';
import { joinChunks } from './join-chunks.ts';
import type { MemoryProcess } from './memory-process.ts';
import { type FlowReceiver, type FlowSender, StreamFlow } from './stream-flow.ts';

/** `write` asks to stop at this many bytes that the other side has not taken, and `onWritable` comes at a quarter. */
const HIGH_WATER_BYTES = 1024 * 1024;
const LOW_WATER_BYTES = HIGH_WATER_BYTES / 4;

/** How long `close` waits for the other side to take what was written. */
const CLOSE_TIMEOUT_MS = 10_000;

/** One side of a stream between two processes of the memory network. */
export class MemoryStream implements Connection, FlowSender, FlowReceiver {
  readonly kind = 'stream';
  readonly maxPacketBytes = Number.POSITIVE_INFINITY;
  readonly localAddress: EndpointAddress;
  readonly remoteAddress: EndpointAddress;
  readonly #process: MemoryProcess;
  #remote: MemoryStream | undefined;
  #out: StreamFlow | undefined;
  #handler: ConnectionHandler | undefined;
  #state: 'open' | 'closing' | 'closed' | 'vanished' = 'open';
  #paused = false;
  #full = false;
  #closed: { error: PipevineError | undefined; told: boolean } | undefined;
  #closeTimer: Timer | undefined;

  constructor(process: MemoryProcess, localAddress: EndpointAddress, remoteAddress: EndpointAddress) {
    this.#process = process;
    this.localAddress = localAddress;
    this.remoteAddress = remoteAddress;
    process.streams.add(this);
  }

  /** Joins the two sides. */
  static connect(a: MemoryStream, b: MemoryStream): void {
    const { network } = a.#process.host;
    a.#remote = b;
    b.#remote = a;
    a.#out = new StreamFlow(network, a, b);
    b.#out = new StreamFlow(network, b, a);
  }

  get hostName(): string {
    return this.#process.host.name;
  }

  get flowState(): 'ready' | 'waiting' | 'gone' | 'rebooted' {
    if (this.#state === 'vanished') return this.#process.host.powered ? 'rebooted' : 'gone';
    // A side that has closed still takes bytes, and throws them away.
    return this.#state === 'open' && (this.#handler === undefined || this.#paused) ? 'waiting' : 'ready';
  }

  start(handler: ConnectionHandler): void {
    this.#handler = handler;
    this.#process.clock.setTimer(0, () => {
      this.#tellClosed();
      this.#pumpIncoming();
    });
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.#state !== 'open') return true;
    const bytes = joinChunks(chunks);
    if (bytes.length > 0) this.#out?.data(bytes);
    this.#full ||= (this.#out?.queuedBytes ?? 0) >= HIGH_WATER_BYTES;
    return !this.#full;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#process.clock.setTimer(0, () => this.#pumpIncoming());
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#out?.end();
    this.#pumpIncoming();
    this.#closeTimer = this.#process.clock.setTimer(CLOSE_TIMEOUT_MS, () => {
      this.#out?.reset();
      this.#finish(
        new PipevineError(
          'timeout',
          `${this.remoteAddress} did not take what was written within ${CLOSE_TIMEOUT_MS} ms.`,
        ),
      );
    });
  }

  abort(): void {
    if (this.#state === 'closed' || this.#state === 'vanished') return;
    this.#out?.reset();
    this.#finish(undefined);
  }

  /** The process died: no callback comes any more. */
  vanish(powerLoss: boolean): void {
    if (this.#state === 'closed') return;
    this.#closed = { error: undefined, told: true };
    if (powerLoss) {
      this.#state = 'vanished';
      this.#out?.discard();
    } else {
      this.#state = 'closed';
      this.#out?.reset();
    }
  }

  receiveBytes(bytes: Uint8Array): void {
    if (this.#state === 'open') this.#handler?.onBytes(bytes);
  }

  receiveEnd(): void {
    this.#out?.discard();
    this.#finish(undefined);
  }

  receiveReset(): void {
    this.#out?.discard();
    this.#finish(new PipevineError('closed', `${this.remoteAddress} reset the connection. Dial again.`));
  }

  drained(): void {
    if (!this.#full || (this.#out?.queuedBytes ?? 0) > LOW_WATER_BYTES) return;
    this.#full = false;
    const { network, name } = this.#process.host;
    const { delayMs } = network.conditionsOf(this.#remote?.hostName ?? name, name);
    this.#process.clock.setTimer(delayMs, () => {
      if (this.#state === 'open' && !this.#full) this.#handler?.onWritable();
    });
  }

  endDelivered(): void {
    const { network, name } = this.#process.host;
    const { delayMs } = network.conditionsOf(this.#remote?.hostName ?? name, name);
    this.#process.clock.setTimer(delayMs, () => this.#finish(undefined));
  }

  failed(error: PipevineError): void {
    this.#finish(error);
  }

  #finish(error: PipevineError | undefined): void {
    if (this.#closed !== undefined) return;
    this.#state = 'closed';
    this.#closed = { error, told: false };
    this.#closeTimer?.cancel();
    this.#process.streams.delete(this);
    this.#process.clock.setTimer(0, () => this.#tellClosed());
    // What the other side still sends is taken and thrown away, so that its queue drains.
    this.#pumpIncoming();
  }

  #pumpIncoming(): void {
    const remote = this.#remote;
    if (remote !== undefined) remote.#out?.pump();
  }

  #tellClosed(): void {
    if (this.#closed === undefined || this.#closed.told || this.#handler === undefined) return;
    this.#closed.told = true;
    this.#handler.onClosed(this.#closed.error);
  }
}
