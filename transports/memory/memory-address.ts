import { type EndpointAddress, PipevineError } from '@pipevine/runtime';

/** A parsed `mem://host`, `mem://host:port` or, to listen, `mem://*:port`. */
export interface MemoryAddress {
  readonly host: string;
  /** Undefined: the host's one address without a port. */
  readonly port: number | undefined;
}

export function parseMemoryAddress(scheme: string, address: EndpointAddress): MemoryAddress {
  const match = /^([a-z]+):\/\/([A-Za-z0-9_.-]+|\*)(?::(\d{1,5}))?$/.exec(address);
  const port = match?.[3] === undefined ? undefined : Number(match[3]);
  if (match === null || match[1] !== scheme || (port ?? 0) > 65535) {
    throw new PipevineError(
      'invalid-address',
      `"${address.slice(0, 120)}" is not an address of the memory network: expected ${scheme}://host or ${scheme}://host:port.`,
    );
  }
  return { host: match[2] ?? '', port };
}

export function memoryAddressText(scheme: string, host: string, port: number | undefined): EndpointAddress {
  return port === undefined ? `${scheme}://${host}` : `${scheme}://${host}:${port}`;
}
