import type { EndpointAddress } from '../platform/transport.ts';
import { parseEndpointAddress } from './endpoint-address.ts';

/** Bounds the handshakes that strangers have under way from one host, so that one host cannot take all the places. */
export class IncomingGate {
  readonly #maxPerHost: number;
  readonly #halfOpen = new Map<string, number>();
  #refused = 0;

  constructor(maxPerHost: number) {
    this.#maxPerHost = maxPerHost;
  }

  get refused(): number {
    return this.#refused;
  }

  /** Lets a handshake begin; the caller calls what it gets once, when it has ended. Undefined: turn it away. */
  enter(remote: EndpointAddress): (() => void) | undefined {
    const host = hostOf(remote);
    const count = this.#halfOpen.get(host) ?? 0;
    if (count >= this.#maxPerHost) {
      this.#refused++;
      return undefined;
    }
    this.#halfOpen.set(host, count + 1);
    return () => {
      const left = (this.#halfOpen.get(host) ?? 1) - 1;
      if (left === 0) this.#halfOpen.delete(host);
      else this.#halfOpen.set(host, left);
    };
  }
}

function hostOf(address: EndpointAddress): string {
  try {
    return parseEndpointAddress(address).host;
  } catch {
    // A transport with addresses of another shape: each counts for itself.
    return address;
  }
}
