import assert from 'node:assert/strict';
import { nodeCrypto } from '@pipevine/transports';
import { CpaceInitiator, CpaceResponder } from '../../../runtime/pake/cpace.ts';
import { ALICE, always, BOB, filled, GROUP } from '../cast.ts';
import { toHex } from '../hex.ts';
import type { VectorCase, VectorSet } from '../vector-set.ts';

const sessionId = Uint8Array.from([...filled(16, 0x0e), ...filled(16, 0x0f)]);
const verifier = filled(32, 0x9f);

function exchange() {
  const init = {
    crypto: nodeCrypto,
    password: verifier,
    initiator: ALICE.id,
    responder: BOB.id,
    group: GROUP,
    sessionId,
  };
  const applicant = new CpaceInitiator({ ...init, random: always(0xe1) });
  const administrator = new CpaceResponder({ ...init, random: always(0xe2) }, applicant.share);
  const { tag, key } = applicant.finish(administrator.share, administrator.tag);
  assert.deepEqual(administrator.confirm(tag).key, key);
  return {
    Ya: toHex(applicant.share),
    Yb: toHex(administrator.share),
    Tb: toHex(administrator.tag),
    Ta: toHex(tag),
    key: toHex(key),
  };
}

const data: VectorCase = {
  name: 'an exchange',
  verifier: toHex(verifier),
  group: GROUP,
  applicant: ALICE.id,
  administrator: BOB.id,
  sessionId: toHex(sessionId),
  applicantScalar: toHex(filled(32, 0xe1)),
  administratorScalar: toHex(filled(32, 0xe2)),
  ...exchange(),
};

export const PASSWORD: VectorSet = {
  name: 'password',
  description:
    'One exchange of CPace with fixed scalars, by the names of the document. How a password is stretched to the verifier is shown there.',
  document: 'docs/protocol/password.md',
  vectors: [
    {
      data,
      check: ({ Ya, Yb, Ta, Tb, key }) => assert.deepEqual(exchange(), { Ya, Yb, Tb, Ta, key }),
    },
  ],
};
