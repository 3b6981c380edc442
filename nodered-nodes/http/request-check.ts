import type { IncomingMessage } from 'node:http';

/** Headers that only this side may say, or that speak of a proxy, of which there is none. */
const STRIPPED = /^(?:x-pipevine-.*|forwarded|x-forwarded(?:-.*)?|x-real-ip|x-client-ip|true-client-ip|via)$/;

/**
 * Takes out what came under a name that flows trust, `_` for `-` too, as some programs take one for the other, and says who asks.
 * The values are percent-encoded where a header could not hold them.
 */
export function sayWhoAsks(request: IncomingMessage, peer: string, roles: readonly string[]): void {
  const given = [...request.rawHeaders];
  const kept: string[] = [];
  for (let at = 0; at + 1 < given.length; at += 2) {
    const [name = '', value = ''] = given.slice(at, at + 2);
    if (isStripped(name)) continue;
    kept.push(name, value);
  }
  kept.push('X-Pipevine-Peer', peer, 'X-Pipevine-Roles', roles.map(encodeURIComponent).join(','));
  request.rawHeaders.splice(0, request.rawHeaders.length, ...kept);
  for (const name of Object.keys(request.headers)) if (isStripped(name)) delete request.headers[name];
  request.headers['x-pipevine-peer'] = peer;
  request.headers['x-pipevine-roles'] = roles.map(encodeURIComponent).join(',');
}

const isStripped = (name: string) => STRIPPED.test(name.toLowerCase().replaceAll('_', '-'));

/**
 * The path of a request, encoded as it came. Undefined for what two readers could take for two paths: another form than `/path?query`, `.` and
 * `..` as segments, encoded slashes, backslashes, control characters, broken encoding.
 */
export function plainPath(target: string): string | undefined {
  const [encoded = ''] = target.split(/[?#]/, 1);
  if (!encoded.startsWith('/') || encoded.startsWith('//')) return undefined;
  if (/%2f|%5c|\\/i.test(encoded)) return undefined;
  let path: string;
  try {
    path = decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
  if (/[\u0000-\u001f\u007f]/.test(path)) return undefined;
  if (path.split('/').some((segment) => segment === '.' || segment === '..')) return undefined;
  return encoded;
}
