import { encodeDelegationBody } from '@pipevine/runtime';
import { type AdvertisementFields, signAdvertisement, verifyAdvertisement } from '@pipevine/runtime/protocol';
import { nodeCrypto } from '@pipevine/transports';
import type { AdvertisementKind } from '../../../runtime/advertisement/advertisement.ts';
import { decodeDelegationBody } from '../../../runtime/advertisement/delegation-body.ts';
import { decodeNameBody, encodeNameBody } from '../../../runtime/advertisement/name-body.ts';
import { decodePeerBody, encodePeerBody } from '../../../runtime/advertisement/peer-body.ts';
import { decodePipeBody, encodePipeBody } from '../../../runtime/advertisement/pipe-body.ts';
import { decodeRouteBody, encodeRouteBody, NEIGHBOURS_KEY } from '../../../runtime/advertisement/route-body.ts';
import { encodeThingBody } from '../../../runtime/advertisement/thing-body.ts';
import { ALICE, ALICE_CREDENTIAL, AUTHORITY, BOB, BOB_CREDENTIAL, GROUP, NOW_MS } from '../cast.ts';
import { codecVector } from '../codec-vector.ts';
import { signedVector } from '../signed-vector.ts';
import type { Vector, VectorSet } from '../vector-set.ts';
import { CHARTER } from './groups.ts';

const HOURS_2_MS = 7_200_000;
const NONE = new Uint8Array(0);

const PUBLISHERS = { alice: ALICE, bob: BOB, authority: AUTHORITY };

function signed(
  kind: AdvertisementKind,
  fields: Partial<AdvertisementFields>,
  by: keyof typeof PUBLISHERS = 'alice',
): Uint8Array {
  return signAdvertisement(PUBLISHERS[by], {
    kind,
    group: GROUP,
    key: '',
    sequence: NOW_MS,
    issuedAtMs: NOW_MS,
    expirationMs: HOURS_2_MS,
    name: '',
    attributes: new Map(),
    body: NONE,
    ...fields,
  }).encoded;
}

function advertisement(
  name: string,
  kind: AdvertisementKind,
  fields: Partial<AdvertisementFields>,
  by: keyof typeof PUBLISHERS = 'alice',
): Vector {
  const encoded = signed(kind, fields, by);
  const decode = (bytes: Uint8Array) => {
    const { encoded: _, ...members } = verifyAdvertisement(nodeCrypto, bytes);
    return members;
  };
  return signedVector({
    name,
    signer: by,
    domain: 'pipevine/1 advertisement',
    payloadCddl: 'advertisement',
    encoded,
    decode,
  });
}

const peer = {
  addresses: ['tcp://192.0.2.1:7473', 'udp://192.0.2.1:7473'],
  roles: ['gateway'],
  profile: 'gateway',
  staticKey: ALICE.agreement.publicKey,
  credential: ALICE_CREDENTIAL.encoded,
};
const relay = {
  addresses: ['tcp://192.0.2.2:7473'],
  roles: ['relay'],
  profile: 'edge',
  staticKey: BOB.agreement.publicKey,
  credential: BOB_CREDENTIAL.encoded,
};
const ROUTE = { body: encodeRouteBody({ relays: [BOB.id, AUTHORITY.id] }) };
const NEIGHBOURS = { key: NEIGHBOURS_KEY, body: encodeRouteBody({ relays: [AUTHORITY.id] }) };
const RELAY = { name: 'relay', body: encodePeerBody(relay) };
/** Alice leases at Bob and at the authority, and these two relays are linked. */
export const ROUTE_ADVERTISEMENT = signed('route', ROUTE);
export const NEIGHBOURS_ADVERTISEMENT = signed('route', NEIGHBOURS, 'bob');
export const PEER_ADVERTISEMENT = signed('peer', RELAY, 'bob');
const description = { '@context': 'https://www.w3.org/2022/wot/td/v1.1', title: 'Hall lamp' };
const delegation = { delegate: BOB.id, notAfterMs: NOW_MS + 86_400_000 };
const named = { peer: BOB.id, service: 'web' };

export const ADVERTISEMENTS: VectorSet = {
  name: 'advertisements',
  description:
    'A signed advertisement of each kind, and the bodies by themselves. Kinds module and content have no body yet; the rule of a route body is in relay.cddl.',
  document: 'docs/protocol/advertisement.md',
  cddl: 'advertisement.cddl',
  vectors: [
    advertisement('peer', 'peer', { name: 'gateway', body: encodePeerBody(peer) }),
    advertisement('group', 'group', { name: 'Home', body: CHARTER.encoded }, 'authority'),
    advertisement('pipe', 'pipe', { key: 'chat', name: 'chat', body: encodePipeBody({ kind: 'secure' }) }),
    advertisement('thing', 'thing', {
      key: 'lamp',
      name: 'Hall lamp',
      attributes: new Map([
        ['connector', 'mqtt'],
        ['availability', 'up'],
      ]),
      body: encodeThingBody(description),
    }),
    advertisement('route', 'route', ROUTE),
    advertisement('route: the relays that a relay is linked to', 'route', NEIGHBOURS, 'bob'),
    advertisement('peer that relays', 'peer', RELAY, 'bob'),
    advertisement('name', 'name', { key: 'kitchen', name: 'kitchen', body: encodeNameBody(named) }),
    advertisement('module', 'module', { key: 'm', body: Uint8Array.of(1, 2, 3) }),
    advertisement('content', 'content', { key: 'c', body: Uint8Array.of(1, 2, 3) }),
    advertisement('delegation', 'delegation', { body: encodeDelegationBody(delegation) }),
    advertisement('a withdrawal', 'thing', { key: 'lamp', sequence: NOW_MS + 1, expirationMs: 0 }),
    codecVector({
      name: 'body of a peer',
      value: peer,
      encode: encodePeerBody,
      decode: decodePeerBody,
      cddl: 'peer-body',
    }),
    codecVector({
      name: 'body of a pipe',
      value: { kind: 'request' as const },
      encode: encodePipeBody,
      decode: decodePipeBody,
      cddl: 'pipe-body',
    }),
    codecVector({
      name: 'body of a bidirectional pipe',
      value: { kind: 'bidirectional' as const },
      encode: encodePipeBody,
      decode: decodePipeBody,
      cddl: 'pipe-body',
    }),
    codecVector({
      name: 'body of a name',
      value: named,
      encode: encodeNameBody,
      decode: decodeNameBody,
      cddl: 'name-body',
    }),
    codecVector({
      name: 'body of a delegation',
      value: delegation,
      encode: encodeDelegationBody,
      decode: decodeDelegationBody,
      cddl: 'delegation-body',
    }),
    codecVector({
      name: 'body of a route',
      value: { relays: [BOB.id] },
      encode: encodeRouteBody,
      decode: decodeRouteBody,
    }),
  ],
};
