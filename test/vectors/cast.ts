/** Who appears in the vectors. Each secret is one byte, 32 times, so that another implementation has it at hand. */
import { groupIdFromBytes, identityFromSeed, type Random } from '@pipevine/runtime';
import { nodeCrypto } from '@pipevine/transports';
import { signCredential } from '../../runtime/group/credential-codec.ts';
import { base32Encode } from '../../runtime/id/base32.ts';

export const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);
/** Draws nothing but this byte. */
export const always = (value: number): Random => ({ bytes: (length) => filled(length, value), fraction: () => 0 });

export const ALICE_SEED = filled(32, 0xa1);
export const BOB_SEED = filled(32, 0xb2);
export const AUTHORITY_SEED = filled(32, 0xc3);
export const ALICE = identityFromSeed(nodeCrypto, ALICE_SEED);
export const BOB = identityFromSeed(nodeCrypto, BOB_SEED);
export const AUTHORITY = identityFromSeed(nodeCrypto, AUTHORITY_SEED);
export const GROUP = groupIdFromBytes(AUTHORITY.signing.publicKey);

/** 15 January 2027, 08:00 UTC; all dates in the vectors are near it. */
export const NOW_MS = 1_800_000_000_000;
const LIFETIME_MS = 45 * 86_400_000;
export const SERIAL = base32Encode(filled(16, 0x01));

const term = { group: GROUP, notBeforeMs: NOW_MS, notAfterMs: NOW_MS + LIFETIME_MS };
export const ALICE_CREDENTIAL = signCredential(AUTHORITY.signing, {
  ...term,
  subject: ALICE.id,
  roles: ['administrator'],
  serial: SERIAL,
});
/** Signed by Alice. */
export const BOB_CREDENTIAL = signCredential(
  ALICE.signing,
  {
    ...term,
    subject: BOB.id,
    roles: ['member'],
    capabilities: ['relay', 'name:b*'],
    serial: base32Encode(filled(16, 0x02)),
    version: 3,
  },
  ALICE_CREDENTIAL.encoded,
);
