import { PipevineError } from '../error/pipevine-error.ts';
import { type PeerId, parsePeerId } from '../id/peer-id.ts';

const PREFIX = 'urn:pipevine:thing:';
const PEER_PREFIX = 'urn:pipevine:peer:';

/** What a thing is named by: the peer that offers it, and its key there. */
export interface ThingName {
  readonly peer: PeerId;
  readonly key: string;
}

/** `urn:pipevine:thing:`, the base32 of the peer's id, `:`, the key percent-encoded. */
export function thingId(name: ThingName): string {
  return `${PREFIX}${name.peer.slice(PEER_PREFIX.length)}:${encodeURIComponent(name.key)}`;
}

/** Reads what `thingId` writes. Throws `invalid-argument`. */
export function parseThingId(id: string): ThingName {
  const [peer = '', key, ...rest] = id.startsWith(PREFIX) ? id.slice(PREFIX.length).split(':') : [];
  if (key !== undefined && rest.length === 0) {
    try {
      return { peer: parsePeerId(peer), key: decodeURIComponent(key) };
    } catch {
      // Said below, in terms of things.
    }
  }
  throw new PipevineError(
    'invalid-argument',
    `"${id.slice(0, 120)}" is not the id of a thing: expected ${PREFIX}PEER:KEY, as \`pipevine things\` shows it.`,
  );
}

/** The key of a thing that a program exposes under this title: lower-case letters and digits, joined by dashes. */
export function thingKeyOfTitle(title: string): string {
  const words = title
    .normalize('NFKD')
    .toLowerCase()
    .match(/[a-z0-9]+/g);
  return (words ?? ['thing']).join('-').slice(0, 64);
}
