/**
 * The peer information protocol: a directed query to the resolver's handler `peerinfo`, one answer. Canonical CBOR
 * (docs/protocol/peerinfo.cddl).
 *
 * Query, a map with integer keys:
 *
 * | key | member | value                                     |
 * |-----|--------|-------------------------------------------|
 * |   1 | links  | true: the links, too; absent for no       |
 *
 * Answer, a map with integer keys:
 *
 * | key | member | value                                                                               |
 * |-----|--------|-------------------------------------------------------------------------------------|
 * |   1 | name   | text                                                                                |
 * |   2 | version| text                                                                                |
 * |   3 | roles  | array of text                                                                       |
 * |   4 | uptime | ms                                                                                  |
 * |   5 | in     | bytes                                                                               |
 * |   6 | out    | bytes                                                                               |
 * |   7 | memory | bytes; absent where it is not known                                                 |
 * |   8 | count  | number of links                                                                     |
 * |   9 | groups | array of 32 bytes: those that both are in                                           |
 * |  10 | links  | array of `[peer, transport, address, round trip in us, or null]`; absent if not told |
 */
import { groupIdFromBytes, groupIdToBytes } from '../id/group-id.ts';
import { peerIdFromBytes, peerIdToBytes } from '../id/peer-id.ts';
import type { CborValue } from '../wire/cbor-value.ts';
import { decodeStrict } from '../wire/decode.ts';
import { type CborInput, encodeCanonical } from '../wire/encode.ts';
import { readArray, readBytes, readInteger, readMap, readText } from '../wire/shape.ts';
import type { PeerInfo, PeerInfoLink } from './peer-info.ts';
import {
  MAX_INFO_BYTES,
  MAX_INFO_GROUPS,
  MAX_INFO_LINKS,
  MAX_INFO_QUERY_BYTES,
  MAX_INFO_ROLES,
  MAX_INFO_TEXT_BYTES,
} from './peer-info-defaults.ts';

const WHAT = 'Peer information';
const TEXT = { maxBytes: MAX_INFO_TEXT_BYTES };

export function encodeInfoQuery(query: { readonly links: boolean }): Uint8Array {
  return encodeCanonical(new Map([[1, query.links || undefined]]));
}

/** Throws `malformed` or `too-large`. */
export function decodeInfoQuery(bytes: Uint8Array): { readonly links: boolean } {
  const query = readMap(decodeStrict(bytes, { maxBytes: MAX_INFO_QUERY_BYTES }), `${WHAT}: query`);
  return { links: query.optionalBoolean(1, 'links') ?? false };
}

/** Leaves out groups, roles and links beyond what an answer may have. */
export function encodePeerInfo(info: PeerInfo): Uint8Array {
  return encodeCanonical(
    new Map<number, CborInput | undefined>([
      [1, info.name],
      [2, info.version],
      [3, info.roles.slice(0, MAX_INFO_ROLES)],
      [4, Math.round(info.uptimeMs)],
      [5, info.bytesIn],
      [6, info.bytesOut],
      [7, info.memoryBytes],
      [8, info.linkCount],
      [9, info.groups.slice(0, MAX_INFO_GROUPS).map(groupIdToBytes)],
      [10, info.links?.slice(0, MAX_INFO_LINKS).map(linkFields)],
    ]),
  );
}

/** Throws `malformed` or `too-large`. */
export function decodePeerInfo(bytes: Uint8Array): PeerInfo {
  const answer = readMap(decodeStrict(bytes, { maxBytes: MAX_INFO_BYTES }), WHAT);
  return {
    name: answer.text(1, 'name', TEXT),
    version: answer.text(2, 'version', TEXT),
    roles: answer.array(3, 'roles', { maxLength: MAX_INFO_ROLES }).map((one) => readText(one, `${WHAT}: role`, TEXT)),
    uptimeMs: answer.integer(4, 'uptime'),
    bytesIn: answer.integer(5, 'bytes in'),
    bytesOut: answer.integer(6, 'bytes out'),
    memoryBytes: answer.optionalInteger(7, 'memory'),
    linkCount: answer.integer(8, 'number of links'),
    groups: answer
      .array(9, 'groups', { maxLength: MAX_INFO_GROUPS })
      .map((one) => groupIdFromBytes(readBytes(one, `${WHAT}: group`, { length: 32 }))),
    links: answer.optionalArray(10, 'links', { maxLength: MAX_INFO_LINKS })?.map(readLink),
  };
}

const linkFields = ({ peer, transport, address, rttMs }: PeerInfoLink): CborInput => [
  peerIdToBytes(peer),
  transport,
  address,
  rttMs === undefined ? null : Math.round(rttMs * 1_000),
];

function readLink(value: CborValue): PeerInfoLink {
  const what = `${WHAT}: link`;
  const [peer, transport, address, rttUs] = readArray(value, what, { minLength: 4, maxLength: 8 });
  return {
    peer: peerIdFromBytes(readBytes(peer, what, { length: 32 })),
    transport: readText(transport, what, TEXT),
    address: readText(address, what, TEXT),
    rttMs: rttUs === null ? undefined : readInteger(rttUs, `${what}: round trip`) / 1_000,
  };
}
