import type { PipevineError } from '../../error/pipevine-error.ts';
import type { Connection, ConnectionHandler } from '../../platform/transport.ts';
import { joinBytes } from '../../wire/join-bytes.ts';

/** One end of a connection within a test, which may look at, change, hold or drop what passes. */
export class TestConnection implements Connection {
  readonly kind: 'stream' | 'datagram';
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly maxPacketBytes: number;
  /** All that was written so far: a chunk a write. */
  readonly written: Uint8Array[] = [];
  /** What `write` returns. */
  writable = true;
  paused = false;
  state: 'open' | 'closed' | 'aborted' = 'open';
  /** Turns what was written into what arrives. */
  pass: (bytes: Uint8Array, index: number) => Uint8Array[] = (bytes) => [bytes];
  /** Set by a test that looks at what is not of this conversation. */
  decline: (packet: Uint8Array, begins: boolean) => void = () => undefined;
  #peer: TestConnection | undefined;
  #handler: ConnectionHandler | undefined;
  #early: Uint8Array[] = [];
  #ended = false;

  constructor(kind: 'stream' | 'datagram', name: string, peerName: string) {
    this.kind = kind;
    this.localAddress = `mem://${name}`;
    this.remoteAddress = `mem://${peerName}`;
    this.maxPacketBytes = kind === 'stream' ? Infinity : 1_200;
  }

  static pair(kind: 'stream' | 'datagram'): [TestConnection, TestConnection] {
    const a = new TestConnection(kind, 'a', 'b');
    const b = new TestConnection(kind, 'b', 'a');
    a.#peer = b;
    b.#peer = a;
    return [a, b];
  }

  start(handler: ConnectionHandler): void {
    this.#handler = handler;
    for (const bytes of this.#early.splice(0)) handler.onBytes(bytes);
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.state !== 'open') return false;
    const bytes = joinBytes(chunks);
    for (const arriving of this.pass(bytes, this.written.length)) queueMicrotask(() => this.#peer?.deliver(arriving));
    this.written.push(bytes);
    return this.writable;
  }

  /** Hands bytes to this end as if they had come from the other. */
  deliver(bytes: Uint8Array): void {
    if (this.#ended) return;
    if (this.#handler === undefined) this.#early.push(bytes);
    else this.#handler.onBytes(bytes);
  }

  drained(): void {
    this.writable = true;
    this.#handler?.onWritable();
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  close(): void {
    if (this.state !== 'open') return;
    this.state = 'closed';
    queueMicrotask(() => {
      this.end();
      if (this.kind === 'stream') this.#peer?.end();
    });
  }

  abort(): void {
    if (this.state === 'aborted') return;
    this.state = 'aborted';
    queueMicrotask(() => {
      this.end();
      if (this.kind === 'stream') this.#peer?.end();
    });
  }

  /** Ends this side. */
  end(error?: PipevineError): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.state === 'open') this.state = 'closed';
    this.#handler?.onClosed(error);
  }
}
