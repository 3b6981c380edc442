import { PipevineError } from '../error/pipevine-error.ts';
import type { EndpointAddress, ProbePort, Transport } from '../platform/transport.ts';
import { decodeProbe, encodeProbe, PROBE_BYTES, PROBE_MARK } from './probe-packet.ts';
import { MAX_TOKENS, PUNCH_SCHEME } from './punch-defaults.ts';

/** Sends probes, and knows who waits for which token. */
export class Probes {
  readonly #ports: readonly ProbePort[];
  readonly #waiting = new Map<string, (from: EndpointAddress) => void>();
  #unknown = 0;
  #refused = 0;

  constructor(transports: readonly Transport[]) {
    this.#ports = transports.flatMap((transport) => {
      if (!transport.schemes.includes(PUNCH_SCHEME)) return [];
      const port = transport.probes?.({
        mark: PROBE_MARK,
        bytes: PROBE_BYTES,
        onProbe: (packet, from) => this.#onProbe(packet, from),
      });
      return port ?? [];
    });
  }

  /** Whether there is a transport for them. */
  get available(): boolean {
    return this.#ports.length > 0;
  }

  /** Tokens that are waited for. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Probes with a token that nobody waits for, and tokens that found no room. */
  get dropped(): number {
    return this.#unknown + this.#refused;
  }

  /** Best effort. */
  send(to: EndpointAddress, token: Uint8Array): void {
    for (const port of this.#ports) port.send(to, encodeProbe(token));
  }

  /** Tells from where probes with that token come, until it is closed. Throws `overloaded`. */
  expect(token: Uint8Array, onProbe: (from: EndpointAddress) => void): { close(): void } {
    if (this.#waiting.size >= MAX_TOKENS) {
      this.#refused++;
      throw new PipevineError('overloaded', `${MAX_TOKENS} probes are waited for already, the limit; try again later.`);
    }
    const key = keyOf(token);
    this.#waiting.set(key, onProbe);
    return {
      close: () => {
        if (this.#waiting.get(key) === onProbe) this.#waiting.delete(key);
      },
    };
  }

  close(): void {
    for (const port of this.#ports) port.close();
    this.#waiting.clear();
  }

  #onProbe(packet: Uint8Array, from: EndpointAddress): void {
    const token = decodeProbe(packet);
    const onProbe = token && this.#waiting.get(keyOf(token));
    if (onProbe === undefined) this.#unknown++;
    else onProbe(from);
  }
}

function keyOf(token: Uint8Array): string {
  return String.fromCharCode(...token);
}
