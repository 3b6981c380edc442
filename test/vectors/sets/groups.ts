import assert from 'node:assert/strict';
import { nodeCrypto } from '@pipevine/transports';
import { encodeCharterContent, verifyCharter } from '../../../runtime/group/charter.ts';
import { verifyCredential } from '../../../runtime/group/credential-codec.ts';
import { encodeEpochContent, readEpochContent } from '../../../runtime/group/epoch-content.ts';
import { decodeStatementQuery, encodeStatementQuery } from '../../../runtime/group/group-sync-codec.ts';
import { approve, assemble, proposalFor } from '../../../runtime/group/quorum.ts';
import { encodeRevocationList, readRevocationList } from '../../../runtime/group/revocation-list.ts';
import {
  readStatement,
  type StatementFields,
  signStatement,
  verifyStatement,
} from '../../../runtime/group/statement-codec.ts';
import { base32Encode } from '../../../runtime/id/base32.ts';
import { encodeApplication, encodeApproval } from '../../../runtime/membership/application-codec.ts';
import { asJson } from '../as-json.ts';
import {
  ALICE,
  ALICE_CREDENTIAL,
  AUTHORITY,
  always,
  BOB,
  BOB_CREDENTIAL,
  filled,
  GROUP,
  NOW_MS,
  SERIAL,
} from '../cast.ts';
import { codecVector } from '../codec-vector.ts';
import { fromHex, toHex } from '../hex.ts';
import { signedVector } from '../signed-vector.ts';
import type { Vector, VectorSet } from '../vector-set.ts';

const UNTIL_MS = NOW_MS + 30 * 86_400_000;
const base = { group: GROUP, key: '', sequence: NOW_MS, untilMs: UNTIL_MS, credential: undefined };
const charterContent = { name: 'Home', policy: { type: 'code' as const }, listed: false, roles: ['member'] };
const quorumContent = {
  name: 'Home',
  policy: { type: 'quorum' as const, needed: 2, approvers: [ALICE.id, BOB.id] },
  listed: true,
  roles: ['member'],
};
const signCharter = (content: Parameters<typeof encodeCharterContent>[0]) =>
  signStatement(AUTHORITY.signing, { ...base, type: 'charter', content: encodeCharterContent(content) });

/** The charter of the group in all vectors. */
export const CHARTER = signCharter(charterContent);

const quorumCharter = verifyCharter(nodeCrypto, signCharter(quorumContent).encoded);
const proposal = proposalFor(quorumCharter, { subject: AUTHORITY.id, nowMs: NOW_MS, random: always(0x03) });
const quorum = assemble(
  quorumCharter,
  proposal,
  [ALICE, BOB].map(({ id, signing }) => ({ approver: id, signature: approve(signing, proposal) })),
);

function withoutEncoded(chain: readonly object[]): unknown {
  return chain.map((one) => Object.fromEntries(Object.entries(one).filter(([member]) => member !== 'encoded')));
}
const readChain = (bytes: Uint8Array) => withoutEncoded(verifyCredential(nodeCrypto, bytes));

function statement(
  name: string,
  by: 'alice' | 'authority',
  fields: Pick<StatementFields, 'type' | 'content'> & Partial<StatementFields>,
): Vector {
  const { encoded } = signStatement((by === 'alice' ? ALICE : AUTHORITY).signing, {
    ...base,
    ...(by === 'alice' ? { credential: ALICE_CREDENTIAL.encoded } : {}),
    ...fields,
  });
  const decode = (bytes: Uint8Array) => {
    const form = readStatement(bytes);
    verifyStatement(nodeCrypto, form);
    const { encoded: _, cose: __, ...members } = form;
    return members;
  };
  return signedVector({ name, signer: by, domain: 'pipevine/1 statement', payloadCddl: 'statement', encoded, decode });
}

export const EPOCH_KEY = filled(32, 0x77);
const epoch = {
  number: 2,
  keyHash: nodeCrypto.sha256(EPOCH_KEY),
  fromMs: NOW_MS,
  after: new Map([[ALICE.id, NOW_MS - 1]]),
};
/** The epoch in all vectors, announced by Alice. */
export const EPOCH = signStatement(ALICE.signing, {
  ...base,
  type: 'epoch',
  credential: ALICE_CREDENTIAL.encoded,
  content: encodeEpochContent(epoch),
});
const revocations = [
  { serial: SERIAL, untilMs: UNTIL_MS, below: Infinity, depth: 0 },
  { serial: base32Encode(filled(16, 2)), untilMs: UNTIL_MS, below: 9, depth: 0 },
  { serial: base32Encode(filled(16, 3)), untilMs: UNTIL_MS, below: Infinity, depth: 2 },
];
const application = {
  subject: BOB.id,
  name: 'edge',
  askedAtMs: NOW_MS,
  for: { type: 'membership' as const, nonce: filled(16, 0x0e) },
};

export const GROUPS: VectorSet = {
  name: 'groups',
  description:
    "Credentials, statements and their contents. The value of a credential is its whole chain, the member's own first. A version of Infinity in a revocation stands for all versions.",
  document: 'docs/protocol/group.md',
  cddl: 'group.cddl',
  vectors: [
    signedVector({
      name: 'a credential that the authority signed',
      signer: 'authority',
      domain: 'pipevine/1 credential',
      payloadCddl: 'credential',
      encoded: ALICE_CREDENTIAL.encoded,
      decode: readChain,
    }),
    signedVector({
      name: 'a credential that an administrator signed',
      signer: 'alice',
      domain: 'pipevine/1 credential',
      payloadCddl: 'credential',
      encoded: BOB_CREDENTIAL.encoded,
      decode: readChain,
    }),
    {
      data: {
        name: 'a credential that a quorum gave, and what each approver signs',
        cddl: 'quorum-credential',
        proposal: toHex(proposal),
        approvals: [ALICE, BOB].map(({ id, signing }) => ({
          approver: id,
          signature: toHex(approve(signing, proposal)),
        })),
        value: asJson(readChain(quorum)),
        bytes: toHex(quorum),
      },
      check: ({ bytes, value }) => assert.deepEqual(asJson(readChain(fromHex(bytes))), value),
    },
    statement('charter', 'authority', { type: 'charter', content: encodeCharterContent(charterContent) }),
    statement('charter of a quorum', 'authority', { type: 'charter', content: encodeCharterContent(quorumContent) }),
    statement('revocations', 'alice', { type: 'revocations', content: encodeRevocationList(revocations) }),
    statement('application', 'alice', { type: 'application', key: SERIAL, content: encodeApplication(application) }),
    statement('approval', 'alice', {
      type: 'approval',
      key: SERIAL,
      content: encodeApproval({ type: 'granted', credential: BOB_CREDENTIAL.encoded }),
    }),
    statement('epoch', 'alice', { type: 'epoch', content: encodeEpochContent(epoch) }),
    codecVector({
      name: 'content of revocations',
      value: revocations,
      encode: encodeRevocationList,
      decode: readRevocationList,
      cddl: 'revocations',
    }),
    codecVector({
      name: 'content of an epoch (rule in propagate.cddl)',
      value: epoch,
      encode: encodeEpochContent,
      decode: readEpochContent,
    }),
    codecVector({
      name: 'query for statements; slots as base32',
      value: new Map([[base32Encode(filled(8, 5)), NOW_MS]]),
      encode: encodeStatementQuery,
      decode: decodeStatementQuery,
      cddl: 'statement-query',
    }),
  ],
};
