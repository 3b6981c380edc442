import type { Advertisement, GroupId, Identity } from '@pipevine/runtime';
import { type AdvertisementFields, signAdvertisement } from '../../runtime/advertisement/advertisement-codec.ts';
import { encodePeerBody } from '../../runtime/advertisement/peer-body.ts';

/** An advertisement of kind content, signed by hand; `fields` replace what it says. */
export function madeAdvertisement(
  identity: Identity,
  group: GroupId,
  sequence: number,
  fields: Partial<AdvertisementFields> = {},
): Advertisement {
  return signAdvertisement(identity, {
    kind: 'content',
    group,
    key: 'made',
    sequence,
    issuedAtMs: sequence,
    expirationMs: 7_200_000,
    name: 'made by hand',
    attributes: new Map(),
    body: new Uint8Array(0),
    ...fields,
  });
}

/** The peer advertisement by which a credential becomes known. */
export function introduction(
  identity: Identity,
  group: GroupId,
  sequence: number,
  credential: Uint8Array,
): Advertisement {
  const { publicKey: staticKey } = identity.agreement;
  const body = encodePeerBody({ addresses: [], roles: ['edge'], profile: 'edge', staticKey, credential });
  return madeAdvertisement(identity, group, sequence, { kind: 'peer', key: '', name: 'somebody', body });
}
