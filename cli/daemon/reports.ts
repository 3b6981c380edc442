/** The documented JSON shapes of docs/cli.md, made from what the runtime knows. */
import {
  type Advertisement,
  type JsonValue,
  type LinkStatus,
  type PathPipe,
  type Peer,
  type PeerGroup,
  type PeerId,
  type Reading,
  type ThingSummary,
  WORLD_GROUP,
} from '@pipevine/runtime';

export type JsonObject = { readonly [name: string]: JsonValue };

export const isoTime = (ms: number) => new Date(ms).toISOString();

/** The groups in which things and members are looked for: all but the world group. */
export function ownGroups(peer: Peer): readonly PeerGroup[] {
  return peer.groups.filter((group) => group.id !== WORLD_GROUP);
}

export function thingReport(thing: ThingSummary): JsonObject {
  const { description } = thing;
  return {
    name: thing.title,
    id: thing.id,
    peer: thing.peer,
    host: thing.host,
    group: thing.group,
    connector: thing.connector,
    online: thing.availability === 'up',
    availability: thing.availability,
    properties: Object.keys(description.properties ?? {}),
    actions: Object.keys(description.actions ?? {}),
    events: Object.keys(description.events ?? {}),
  };
}

export function readingReport(reading: Reading): JsonObject {
  return { value: reading.value, timestamp: isoTime(reading.timestampMs) };
}

export function advertisementReport(advertisement: Advertisement): JsonObject {
  return {
    kind: advertisement.kind,
    name: advertisement.name,
    publisher: advertisement.publisher,
    group: advertisement.group,
    key: advertisement.key,
    sequence: advertisement.sequence,
    issued: isoTime(advertisement.issuedAtMs),
    expirationMs: advertisement.expirationMs,
    attributes: Object.fromEntries(advertisement.attributes),
    bodyBytes: advertisement.body.length,
  };
}

export function linkReport(link: LinkStatus): JsonObject {
  return {
    peer: link.peer,
    transport: link.transport,
    address: link.address,
    rttMs: linkRoundTrip(link),
    bytesIn: link.bytesIn,
    bytesOut: link.bytesOut,
  };
}

/** How a pipe goes; `relays` are all on the way, in order. */
export function pathReport(path: NonNullable<PathPipe['path']>, nameOf: (peer: PeerId) => string): JsonObject {
  const { type, via } = path;
  const relays = type === 'relayed' ? (path.relays ?? [via]) : [];
  return { type, via, viaName: nameOf(via), relays: [...relays] };
}

/** Milliseconds to the microsecond; null before the first measurement. */
export const linkRoundTrip = ({ rttMs }: Pick<LinkStatus, 'rttMs'>) =>
  rttMs === undefined ? null : Math.round(rttMs * 1_000) / 1_000;

export interface PeerFacts {
  readonly id: PeerId;
  name: string;
  readonly groups: string[];
  link: LinkStatus | undefined;
}

export function peerReport(facts: PeerFacts): JsonObject {
  return {
    id: facts.id,
    name: facts.name,
    groups: facts.groups,
    connected: facts.link !== undefined,
    transport: facts.link?.transport ?? null,
    address: facts.link?.address ?? null,
    rttMs: facts.link === undefined ? null : linkRoundTrip(facts.link),
  };
}
