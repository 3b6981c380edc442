import { PipevineError } from '../error/pipevine-error.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { ServiceDirectory } from '../platform/service-directory.ts';
import type { EndpointAddress } from '../platform/transport.ts';

/** The DNS-SD type (RFC 6763) under which Zeroconf browsers see peers that listen on TCP. */
export const SERVICE_TYPE = '_pipevine._tcp';

export interface ServiceAnnouncerInit {
  readonly directory: ServiceDirectory;
  readonly peer: PeerId;
  readonly name: string;
  readonly addresses: () => readonly EndpointAddress[];
  readonly onUnavailable?: (error: PipevineError) => void;
}

/** Shows the peer to ordinary Zeroconf browsers, while it listens on a TCP port that others can reach. */
export class ServiceAnnouncer {
  readonly #init: ServiceAnnouncerInit;
  #announced: { readonly port: number; readonly announcement: { close(): Promise<void> } } | undefined;
  #work: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(init: ServiceAnnouncerInit) {
    this.#init = init;
  }

  /** The addresses may have changed. Resolves when the announcement fits them; a failure is told, never thrown. */
  update(): Promise<void> {
    this.#work = this.#work.then(() => this.#update());
    return this.#work;
  }

  /** Idempotent. */
  close(): Promise<void> {
    this.#closed = true;
    return this.update();
  }

  async #update(): Promise<void> {
    const { directory, peer, name, addresses, onUnavailable } = this.#init;
    const port = this.#closed ? undefined : tcpPort(addresses());
    if (port === this.#announced?.port) return;
    try {
      const old = this.#announced;
      this.#announced = undefined;
      await old?.announcement.close();
      if (port === undefined) return;
      const announcement = await directory.announce({ type: SERVICE_TYPE, name, port, text: { id: peer, v: '1' } });
      this.#announced = { port, announcement };
    } catch (error) {
      if (!(error instanceof PipevineError)) throw error;
      onUnavailable?.(error);
    }
  }
}

function tcpPort(addresses: readonly EndpointAddress[]): number | undefined {
  for (const address of addresses) {
    const [, host = '', port] = /^tcp:\/\/(.*):(\d+)$/.exec(address) ?? [];
    if (port !== undefined && !/^(127\.|localhost$|\[::1\])/.test(host)) return Number(port);
  }
  return undefined;
}
