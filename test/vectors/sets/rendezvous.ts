import * as codec from '../../../runtime/rendezvous/rendezvous-codec.ts';
import { asJson } from '../as-json.ts';
import { AUTHORITY, BOB, filled } from '../cast.ts';
import { codecVector } from '../codec-vector.ts';
import type { Vector, VectorSet } from '../vector-set.ts';

const leaseId = filled(8, 0x1e);
const known: codec.KnownRendezvous[] = [
  { peer: BOB.id, addresses: ['tcp://192.0.2.1:7473'] },
  { peer: AUTHORITY.id, addresses: [] },
];
const advertisements = [filled(3, 0xad), filled(5, 0xae)];

function request(name: string, bytes: Uint8Array): Vector {
  return codecVector({
    name,
    value: asJson(codec.decodeRequest(bytes)),
    encode: () => bytes,
    decode: codec.decodeRequest,
    cddl: 'rendezvous-request',
  });
}

export const RENDEZVOUS: VectorSet = {
  name: 'rendezvous',
  description: 'Queries to the handler `rendezvous` and their answers. The advertisements are made up.',
  document: 'docs/protocol/rendezvous.md',
  cddl: 'rendezvous.cddl',
  vectors: [
    request('lease', codec.encodeLeaseRequest(undefined)),
    request('lease, to renew', codec.encodeLeaseRequest(leaseId)),
    request('cancel', codec.encodeCancel(leaseId)),
    request('push', codec.encodeAdvertisements('push', advertisements)),
    request('replicate', codec.encodeAdvertisements('replicate', advertisements)),
    request('peerview', codec.encodePeerview(known, false)),
    request('peerview of one that leaves', codec.encodePeerview(known, true)),
    codecVector({
      name: 'grant',
      value: { leaseId, lifetimeMs: 600_000, rendezvous: known },
      encode: codec.encodeGrant,
      decode: codec.decodeLeaseAnswer,
      cddl: 'lease-answer',
    }),
    codecVector({
      name: 'referral',
      value: { rendezvous: known },
      encode: ({ rendezvous }) => codec.encodeKnown(rendezvous),
      decode: codec.decodeLeaseAnswer,
      cddl: 'lease-answer',
    }),
    codecVector({
      name: 'answer to a peerview',
      value: known,
      encode: codec.encodeKnown,
      decode: codec.decodeKnown,
      cddl: 'peerview-answer',
    }),
  ],
};
