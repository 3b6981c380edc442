import assert from 'node:assert/strict';
import { nodeCrypto } from '@pipevine/transports';
import { decodeCose, signCose, verifyCose } from '../../runtime/advertisement/cose-sign1.ts';
import { asJson } from './as-json.ts';
import { ALICE, ALICE_SEED, AUTHORITY, AUTHORITY_SEED, BOB, BOB_SEED } from './cast.ts';
import { fromHex, toHex } from './hex.ts';
import type { Vector } from './vector-set.ts';

const SIGNERS = { alice: [ALICE, ALICE_SEED], bob: [BOB, BOB_SEED], authority: [AUTHORITY, AUTHORITY_SEED] } as const;
/** More than any signed object has. */
const MAX_BYTES = 65_536;

export interface SignedVectorInit {
  readonly name: string;
  readonly signer: keyof typeof SIGNERS;
  /** The external_aad. */
  readonly domain: string;
  /** Rule of the set's CDDL for the payload. */
  readonly payloadCddl: string;
  readonly encoded: Uint8Array;
  /** What a reader of this implementation makes of it, after it has verified all that there is to verify. */
  readonly decode: (encoded: Uint8Array) => unknown;
}

/** A COSE_Sign1: who signs, what, and the bytes. */
export function signedVector({ name, signer, domain, payloadCddl, encoded, decode }: SignedVectorInit): Vector {
  const [{ signing }, seed] = SIGNERS[signer];
  const { payload } = decodeCose(encoded, name, MAX_BYTES);
  assert.deepEqual(signCose(signing, domain, payload), encoded);
  return {
    data: {
      name,
      seed: toHex(seed),
      externalAad: domain,
      payloadCddl,
      payload: toHex(payload),
      value: asJson(decode(encoded)),
      signed: toHex(encoded),
    },
    check: (data) => {
      const cose = decodeCose(fromHex(data.signed), name, MAX_BYTES);
      verifyCose(nodeCrypto, String(data.externalAad), cose, name);
      assert.equal(toHex(cose.payload), data.payload);
      assert.deepEqual(asJson(decode(fromHex(data.signed))), data.value);
    },
  };
}
