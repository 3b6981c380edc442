import { type NamedListener, type PeerGroup, type Pipe, shortPeerId } from '@pipevine/runtime';
import type { SerialConfig, SerialPort, SerialPorts } from '@pipevine/transports';
import type { Log } from './log.ts';

export interface SerialPipeInit {
  readonly config: SerialConfig;
  readonly ports: SerialPorts;
  readonly log: Log;
}

/**
 * A serial port as a bidirectional pipe of its name. The port is open while somebody has bound it, and belongs to one at a
 * time: whoever comes while it is taken is closed at once.
 */
export class SerialPipe {
  readonly #init: SerialPipeInit;
  readonly #listeners = new Map<string, NamedListener>();
  #carried: { readonly pipe: Pipe; readonly done: Promise<void> } | undefined;
  #refused = 0;
  #closed = false;

  constructor(init: SerialPipeInit) {
    this.#init = init;
  }

  /** Listens in a group. Rejects as NamedPipes.listen does. */
  async listen(group: PeerGroup): Promise<void> {
    const { name } = this.#init.config;
    const listener = await group.namedPipes.listen({ name, kind: 'bidirectional' }, (pipe) => this.#accept(pipe));
    if (this.#closed) await listener.close();
    else this.#listeners.set(group.id, listener);
  }

  forget(group: string): void {
    this.#listeners.delete(group);
  }

  get status(): { readonly used: number; readonly limit: number; readonly dropped: number } {
    return { used: this.#carried === undefined ? 0 : 1, limit: 1, dropped: this.#refused };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#listeners.values()].map((listener) => listener.close()));
    await this.#carried?.pipe.close();
    await this.#carried?.done;
  }

  #accept(pipe: Pipe): void {
    if (this.#carried !== undefined || this.#closed) {
      this.#refused++;
      void pipe.close();
      return;
    }
    const done = this.#carry(pipe).finally(() => {
      this.#carried = undefined;
    });
    this.#carried = { pipe, done };
  }

  /** Never rejects. */
  async #carry(pipe: Pipe): Promise<void> {
    const { config, ports, log } = this.#init;
    let port: SerialPort | undefined;
    try {
      const opened = await ports.open(config);
      port = opened;
      log.info(`serial port ${config.device} is used by ${shortPeerId(pipe.remotePeer)}`);
      void pipe.closed.then(() => opened.close());
      pipe.receive((message) => opened.write(message).catch(() => opened.close()));
      for await (const bytes of opened) await pipe.send(bytes);
    } catch (error) {
      log.warn(`pipe "${config.name}": ${error instanceof Error ? error.message : String(error)}`);
    }
    await port?.close();
    await pipe.close().catch(() => undefined); // it may have died, and that was why
  }
}
