import { type EndpointAddress, PipevineError } from '@pipevine/runtime';
import { parseTcpAddress, tcpAddressText } from '../tcp/tcp-address.ts';

/** What is asked for below this path belongs to Pipevine; everything else of a web server does not. */
export const WEB_PATH = '/pipevine';

export interface WebAddress {
  readonly scheme: string;
  /** Over TLS. */
  readonly secure: boolean;
  /** A name or an address; an IPv6 address without brackets, with its zone after `%`. */
  readonly host: string;
  readonly port: number;
}

/** A pair of schemes: the plain one and the one over TLS. */
export type WebSchemes = readonly [plain: string, secure: string];

/** Reads `scheme://host:port`. The path is fixed and not part of the address, so that an address has one text form. */
export function parseWebAddress(address: EndpointAddress, schemes: WebSchemes): WebAddress {
  const colon = address.indexOf(':');
  const scheme = address.slice(0, colon);
  try {
    if (!schemes.includes(scheme)) throw new PipevineError('invalid-address', `"${scheme}" is another transport's.`);
    const { host, port } = parseTcpAddress(`tcp${address.slice(colon)}`);
    return { scheme, secure: scheme === schemes[1], host, port };
  } catch (cause) {
    throw new PipevineError(
      'invalid-address',
      `"${address.slice(0, 120)}" is not an address of this transport: expected ${schemes[0]}://host:port or ` +
        `${schemes[1]}://host:port without a path, with brackets around an IPv6 host.`,
      { cause },
    );
  }
}

/** The text form of what `parseWebAddress` reads. */
export function webAddressText(scheme: string, host: string, port: number): EndpointAddress {
  return `${scheme}${tcpAddressText(host, port).slice('tcp'.length)}`;
}

/** Throws where an address can be listened on, but names no place to dial. */
export function requireDialable(address: EndpointAddress, { host, port }: WebAddress): void {
  if (port === 0 || host === '0.0.0.0' || host === '::') {
    throw new PipevineError('invalid-address', `${address} can be listened on, not dialled: name a host and a port.`);
  }
}

/** `host:port` as it stands in a Host header and in a CONNECT request; a zone means nothing to anybody else (RFC 6874, 4). */
export function authorityOf({ host, port }: { readonly host: string; readonly port: number }): string {
  const plain = host.replace(/%.*$/, '');
  return plain.includes(':') ? `[${plain}]:${port}` : `${plain}:${port}`;
}
