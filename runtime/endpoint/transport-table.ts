import { PipevineError } from '../error/pipevine-error.ts';
import type { EndpointAddress, Transport } from '../platform/transport.ts';
import { parseEndpointAddress } from './endpoint-address.ts';

/** Which transport carries which scheme. */
export class TransportTable {
  readonly #transports = new Map<string, Transport>();

  constructor(transports: readonly Transport[]) {
    for (const transport of transports) {
      for (const scheme of transport.schemes) this.#transports.set(scheme, transport);
    }
  }

  /** Whether this peer can use an address. */
  has(address: EndpointAddress): boolean {
    return this.#transports.has(address.split(':', 1)[0] ?? '');
  }

  /** The transport of an address. Throws `invalid-address`, naming the schemes that could be used. */
  of(address: EndpointAddress): Transport {
    const { scheme } = parseEndpointAddress(address);
    const transport = this.#transports.get(scheme);
    if (transport !== undefined) return transport;
    const known = [...this.#transports.keys()].map((name) => `${name}://`).join(', ');
    throw new PipevineError(
      'invalid-address',
      `"${address}" cannot be used: this peer has no transport for ${scheme}://, only for ${known}.`,
    );
  }
}
