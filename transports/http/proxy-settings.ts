import { BlockList, isIP } from 'node:net';
import { PipevineError } from '@pipevine/runtime';

/** Which HTTP proxy leads out of this network. URLs of the form `http://[user:password@]host:port`. */
export interface ProxySettings {
  /** For ws and http. Default: none. */
  readonly http?: string;
  /** For wss and https. Default: none. */
  readonly https?: string;
  /**
   * Hosts that are reached without one, separated by commas: a name (and all below it), an address, a network
   * (`10.0.0.0/8`), each with an optional `:port` after a name or IPv4 address; `*` for all. Default: none.
   */
  readonly noProxy?: string;
}

export interface ProxyAddress {
  readonly host: string;
  readonly port: number;
  /** The value of the Proxy-Authorization header (RFC 7617). */
  readonly authorization?: string;
}

/** Reads HTTP_PROXY, HTTPS_PROXY and NO_PROXY, or the same in lower case, which counts first. */
export function proxySettingsFrom(environment: Readonly<Record<string, string | undefined>>): ProxySettings {
  const value = (name: string): string | undefined => environment[name] || environment[name.toUpperCase()] || undefined;
  const [http, https, noProxy] = [value('http_proxy'), value('https_proxy'), value('no_proxy')];
  return { ...(http && { http }), ...(https && { https }), ...(noProxy && { noProxy }) };
}

/** The proxy on the way to a target, or undefined where the way is free. Throws `invalid-argument` for a URL that it cannot read. */
export function chooseProxy(
  settings: ProxySettings,
  target: { readonly secure: boolean; readonly host: string; readonly port: number },
): ProxyAddress | undefined {
  const url = target.secure ? settings.https : settings.http;
  if (url === undefined || isExcepted(settings.noProxy ?? '', target.host, target.port)) return undefined;
  return parseProxyUrl(url);
}

function parseProxyUrl(text: string): ProxyAddress {
  const url = URL.parse(text.includes('://') ? text : `http://${text}`);
  if (
    url === null ||
    url.protocol !== 'http:' ||
    url.hostname === '' ||
    (url.pathname !== '/' && url.pathname !== '')
  ) {
    // The URL may hold a password: not shown.
    throw new PipevineError(
      'invalid-argument',
      'The proxy is not usable: expected http://host:port or http://user:password@host:port, and nothing after it.',
    );
  }
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 80 : Number(url.port),
    ...(url.username !== '' && { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }),
  };
}

function isExcepted(list: string, host: string, port: number): boolean {
  const name = host.replace(/%.*$/, '').toLowerCase();
  return list
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => entry === '*' || matches(entry.toLowerCase(), name, port));
}

function matches(entry: string, name: string, port: number): boolean {
  const [, pattern = entry, onlyPort] = /^(\[[^\]]*\]|[^:]*):(\d{1,5})$/.exec(entry) ?? [];
  if (onlyPort !== undefined && Number(onlyPort) !== port) return false;
  const plain = pattern.replace(/^\[|\]$/g, '');
  if (isIP(name) !== 0) return isInNetwork(plain, name);
  const suffix = plain.replace(/^\*?\./, '');
  return suffix !== '' && (name === suffix || name.endsWith(`.${suffix}`));
}

function isInNetwork(text: string, address: string): boolean {
  const [network = '', prefix] = text.split('/');
  const family = isIP(network);
  if (family === 0 || family !== isIP(address)) return false;
  const type = family === 6 ? 'ipv6' : 'ipv4';
  const bits = prefix === undefined ? (family === 6 ? 128 : 32) : Number(prefix);
  if (!Number.isInteger(bits) || bits < 0 || bits > (family === 6 ? 128 : 32)) return false;
  const list = new BlockList();
  list.addSubnet(network, bits, type);
  return list.check(address, type);
}
