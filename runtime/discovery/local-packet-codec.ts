/**
 * Packets of the local network: hints, unsigned, at most 1,200 bytes; canonical CBOR (docs/protocol/discovery.cddl):
 *
 *     ["pipevine", 1, type, peer, [* address], [* group tag], flags]
 *
 * | member  | value                                                                                              |
 * |---------|----------------------------------------------------------------------------------------------------|
 * | type    | 0 announce; 1 query: an announce that asks for announces; 2 leaving                                |
 * | peer    | 32 bytes                                                                                           |
 * | address | text; without a host (`tcp://:4001`) it is a port of the host that the packet came from            |
 * | tag     | 8 bytes, see group-tag.ts                                                                          |
 * | flags   | 1: takes the part of a gateway; 2: answers the membership protocol                                 |
 *
 * Version 1 is all there is; packets of another version are ignored. More members may follow.
 */
import { PipevineError } from '../error/pipevine-error.ts';
import { type PeerId, peerIdFromBytes, peerIdToBytes } from '../id/peer-id.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readArray, readBytes, readInteger, readText } from '../wire/shape.ts';
import { GROUP_TAG_BYTES } from './group-tag.ts';

export const MAX_LOCAL_PACKET_BYTES = 1_200;
export const MAX_LOCAL_ADDRESSES = 12;
export const MAX_LOCAL_TAGS = 64;

const MAGIC = 'pipevine';
const VERSION = 1;
const TYPES = ['announce', 'query', 'leaving'] as const;
const MAX_ADDRESS_BYTES = 128;
const WHAT = 'A packet of the local network';
/** `["pipevine", 1,` as it stands at the start of every packet of ours, whatever follows. */
const PREFIX = encodeCanonical([MAGIC, VERSION]).subarray(1);

export interface LocalMessage {
  readonly type: (typeof TYPES)[number];
  readonly peer: PeerId;
  readonly addresses: readonly EndpointAddress[];
  readonly tags: readonly Uint8Array[];
  readonly gateway: boolean;
  readonly admits: boolean;
}

/** Leaves out the last addresses and tags when all do not fit. */
export function encodeLocalMessage(message: LocalMessage): Uint8Array {
  const addresses = message.addresses.slice(0, MAX_LOCAL_ADDRESSES);
  const tags = message.tags.slice(0, MAX_LOCAL_TAGS);
  const flags = (message.gateway ? 1 : 0) | (message.admits ? 2 : 0);
  for (;;) {
    const type = TYPES.indexOf(message.type);
    const bytes = encodeCanonical([MAGIC, VERSION, type, peerIdToBytes(message.peer), addresses, tags, flags]);
    if (bytes.length <= MAX_LOCAL_PACKET_BYTES) return bytes;
    // A few addresses reach a peer as well as many; each tag is another group.
    if (addresses.length > 4 || tags.length === 0) addresses.pop();
    else tags.pop();
  }
}

/** Undefined for what is not ours or of another version. Throws `malformed` or `too-large` for what pretends to be. */
export function decodeLocalMessage(bytes: Uint8Array): LocalMessage | undefined {
  if (bytes.length > MAX_LOCAL_PACKET_BYTES) {
    throw new PipevineError('too-large', `${WHAT} has ${bytes.length} bytes; ${MAX_LOCAL_PACKET_BYTES} are the most.`);
  }
  if (PREFIX.some((byte, index) => bytes[index + 1] !== byte)) return undefined;
  const members = readArray(decodeStrict(bytes), WHAT, { minLength: 7, maxLength: 16 });
  const type = TYPES[readInteger(members[2], `${WHAT}: type`, { max: TYPES.length - 1 })] ?? 'announce';
  const addresses = readArray(members[4], `${WHAT}: addresses`, { maxLength: MAX_LOCAL_ADDRESSES });
  const tags = readArray(members[5], `${WHAT}: tags`, { maxLength: MAX_LOCAL_TAGS });
  const flags = readInteger(members[6], `${WHAT}: flags`);
  return {
    type,
    peer: peerIdFromBytes(readBytes(members[3], `${WHAT}: peer`, { length: 32 })),
    addresses: addresses.map((address) => readText(address, `${WHAT}: address`, { maxBytes: MAX_ADDRESS_BYTES })),
    tags: tags.map((tag) => readBytes(tag, `${WHAT}: tag`, { length: GROUP_TAG_BYTES })),
    gateway: (flags & 1) !== 0,
    admits: (flags & 2) !== 0,
  };
}

const HOST_AND_PORT = /^([a-z][a-z0-9+.-]*):\/\/(\[[^\]]*\]|[^[\]:/]*):(\d{1,5})$/;
const LOOPBACK = /^(127\.|localhost$|\[::1\])/;

/**
 * How addresses are announced: first each port without its host, for the packet's source is the host that certainly can
 * be reached; then the addresses that stand for themselves. What only this machine can use comes last, with its host.
 */
export function announcedAddresses(addresses: readonly EndpointAddress[]): EndpointAddress[] {
  const ports: EndpointAddress[] = [];
  const full: EndpointAddress[] = [];
  const loopback: EndpointAddress[] = [];
  for (const address of addresses) {
    const [, scheme, host = '', port] = HOST_AND_PORT.exec(address) ?? [];
    if (LOOPBACK.test(host)) loopback.push(address);
    else {
      if (scheme !== undefined) ports.push(`${scheme}://:${port}`);
      // The zone in a link-local address is this machine's name for the link; it means nothing to others.
      if (!/^\[fe80:/i.test(host)) full.push(address);
    }
  }
  return [...new Set([...ports, ...full, ...loopback])].slice(0, MAX_LOCAL_ADDRESSES);
}

/** The addresses of a packet as they can be dialled, `host` being where it came from. */
export function dialledAddresses(addresses: readonly EndpointAddress[], host: string): EndpointAddress[] {
  const resolved = addresses.map((address) => {
    const [, scheme, named, port] = HOST_AND_PORT.exec(address) ?? [];
    return scheme !== undefined && named === '' ? `${scheme}://${host}:${port}` : address;
  });
  return [...new Set(resolved)];
}
