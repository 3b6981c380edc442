import { groupIdFromBytes, identityFromSeed, type Random } from '@pipevine/runtime';
import { nodeCrypto, type SeededRandom, seededRandom } from '@pipevine/transports';
import { signCose } from '../../runtime/advertisement/cose-sign1.ts';
import * as discovery from '../../runtime/discovery/discovery-codec.ts';
import { encodeCharterContent, verifyCharter } from '../../runtime/group/charter.ts';
import { encodeCredentialFields, signCredential, verifyCredential } from '../../runtime/group/credential-codec.ts';
import { decodeStatementQuery, encodeStatementQuery } from '../../runtime/group/group-sync-codec.ts';
import { approve, assemble, proposalFor, readProposal } from '../../runtime/group/quorum.ts';
import { encodeRevocationList, readRevocationList } from '../../runtime/group/revocation-list.ts';
import { readStatement, signStatement, verifyStatement } from '../../runtime/group/statement-codec.ts';
import { base32Encode } from '../../runtime/id/base32.ts';
import * as application from '../../runtime/membership/application-codec.ts';
import * as membership from '../../runtime/membership/membership-codec.ts';
import {
  decodeInfoQuery,
  decodePeerInfo,
  encodeInfoQuery,
  encodePeerInfo,
} from '../../runtime/peerinfo/peer-info-codec.ts';
import * as rendezvous from '../../runtime/rendezvous/rendezvous-codec.ts';
import * as resolver from '../../runtime/resolver/resolver-codec.ts';
import { countedCrypto } from './counted-crypto.ts';
import type { FuzzedCodec } from './fuzzed-codec.ts';

const random: SeededRandom = seededRandom('control plane codecs');
const authority = identityFromSeed(nodeCrypto, random.bytes(32));
const group = groupIdFromBytes(authority.signing.publicKey);
const members = Array.from({ length: 3 }, () => identityFromSeed(nodeCrypto, random.bytes(32)));
const [member = authority] = members;
const serial = base32Encode(random.bytes(16));
const nonce = random.bytes(16);
const share = random.bytes(32);
const tag = random.bytes(64);

function payloadOf(
  encoded: Uint8Array,
  read: (encoded: Uint8Array) => { readonly cose: { readonly payload: Uint8Array } },
) {
  return read(encoded).cose.payload;
}

const times = { notBeforeMs: 1_000, notAfterMs: 2_000 };
const administrator = signCredential(authority.signing, {
  group,
  subject: member.id,
  roles: ['administrator'],
  serial,
  ...times,
});
const fields = { group, subject: authority.id, roles: ['member'], serial, ...times };
const chained = signCredential(
  member.signing,
  { ...fields, capabilities: ['name:k*'], version: 3 },
  administrator.encoded,
);
const charterContent = encodeCharterContent({
  name: 'Home',
  policy: { type: 'quorum', needed: 2, approvers: members.map(({ id }) => id) },
  listed: true,
  roles: ['member'],
});
const charterFields = { group, type: 'charter', key: '', sequence: 4, untilMs: 9, credential: undefined } as const;
const charterStatement = signStatement(authority.signing, { ...charterFields, content: charterContent });
const charter = verifyCharter(nodeCrypto, charterStatement.encoded);
const proposal = proposalFor(charter, { subject: authority.id, nowMs: 5, random: random satisfies Random });
const voice = (payload: Uint8Array) =>
  members.map(({ id, signing }) => ({ approver: id, signature: approve(signing, payload) }));
const byQuorum = assemble(charter, proposal, voice(proposal));
const revocations = encodeRevocationList([
  { serial, untilMs: 5, below: Infinity, depth: 0 },
  { serial, untilMs: 5, below: 9, depth: 2 },
]);
const statements = [
  charterStatement,
  signStatement(authority.signing, { ...charterFields, type: 'revocations', content: revocations }),
  signStatement(member.signing, {
    ...charterFields,
    type: 'application',
    key: 'k',
    credential: administrator.encoded,
    content: nonce,
  }),
];
const message = signMessage(true);
const answers = [undefined, administrator.encoded].map((credential) =>
  resolver.signAnswer(member.signing, { queryId: nonce, number: 1, body: tag, credential }),
);
const known: rendezvous.KnownRendezvous[] = [
  { peer: member.id, addresses: [] },
  { peer: authority.id, addresses: ['tcp://192.0.2.1:7473', 'mem://a:1'] },
];
const applications: application.Application[] = [
  { subject: member.id, name: 'edge', askedAtMs: 1, for: { type: 'membership', nonce } },
  { subject: member.id, name: '', askedAtMs: 1, for: { type: 'renewal', credential: administrator.encoded } },
];
const approvals: application.Approval[] = [
  { type: 'granted', credential: administrator.encoded },
  { type: 'vote', signature: tag },
  { type: 'rejected' },
];
const membershipRequests: membership.MembershipRequest[] = [
  { type: 'find', name: 'H*' },
  { type: 'apply', fingerprint: nonce },
  { type: 'apply', group },
  { type: 'join-open', group, name: '' },
  { type: 'join-code', group, name: 'edge', secret: random.bytes(10) },
  { type: 'password-begin', group, nonce, share },
  { type: 'password-finish', group, name: 'edge', tag },
  { type: 'join-approval', group, name: 'edge', nonce, askedAtMs: 5 },
  { type: 'renew', group, credential: administrator.encoded },
  { type: 'resign', group, credential: administrator.encoded },
];
const info = {
  name: 'gateway',
  version: '1',
  roles: ['gateway'],
  uptimeMs: 5,
  bytesIn: 1,
  bytesOut: 2,
  memoryBytes: 3,
  linkCount: 1,
  groups: [group],
  links: [{ peer: member.id, transport: 'tcp', address: 'tcp://192.0.2.1:7473', rttMs: 0.5 }],
};

function signMessage(isQuery: boolean): Uint8Array {
  const body = { id: nonce, group, handler: 'h', isQuery, timeoutMs: 5, issuedAtMs: 6, body: tag };
  return resolver.signMessage(member.signing, { ...body, credential: administrator.encoded });
}

/** Everything of the control plane that is read from others. */
export const CODECS: readonly FuzzedCodec[] = [
  {
    name: 'a request to the resolver',
    valid: [
      resolver.encodeRequest({ type: 'directed', handler: 'discovery', body: tag }),
      resolver.encodeRequest({ type: 'propagated', ttlHops: 3, path: [member.id, authority.id], signed: message }),
    ],
    decode: resolver.decodeRequest,
    encode: resolver.encodeRequest,
  },
  {
    name: 'a propagated message',
    valid: [message, signMessage(false)],
    decode: resolver.decodeMessage,
    seal: (payload) => signCose(member.signing, resolver.MESSAGE_DOMAIN, payload),
    payloads: [payloadOf(message, resolver.decodeMessage)],
  },
  {
    name: 'an answer to a propagated query',
    valid: answers,
    decode: resolver.decodeAnswer,
    seal: (payload) => signCose(member.signing, resolver.ANSWER_DOMAIN, payload),
    payloads: answers.map((one) => payloadOf(one, resolver.decodeAnswer)),
  },
  {
    name: 'a request to a rendezvous',
    valid: [
      rendezvous.encodeLeaseRequest(undefined),
      rendezvous.encodeLeaseRequest(random.bytes(8)),
      rendezvous.encodeCancel(random.bytes(8)),
      rendezvous.encodeAdvertisements('push', [tag, nonce]),
      rendezvous.encodeAdvertisements('replicate', [tag]),
      rendezvous.encodePeerview(known, true),
    ],
    decode: rendezvous.decodeRequest,
    codes: ['unsupported'],
  },
  {
    name: 'the answer to a lease',
    valid: [
      rendezvous.encodeGrant({ leaseId: random.bytes(8), lifetimeMs: 600_000, rendezvous: known }),
      rendezvous.encodeKnown(known),
    ],
    decode: rendezvous.decodeLeaseAnswer,
  },
  {
    name: 'the answer to a peerview',
    valid: [rendezvous.encodeKnown(known)],
    decode: rendezvous.decodeKnown,
    encode: rendezvous.encodeKnown,
  },
  {
    name: 'a credential',
    valid: [administrator.encoded, chained.encoded, byQuorum],
    decode: (bytes) => verifyCredential(countedCrypto, bytes),
    codes: ['forged', 'refused', 'unsupported'],
    sealed: true,
    seal: (payload) => signCose(member.signing, 'pipevine/1 credential', payload),
    payloads: [encodeCredentialFields(fields, administrator.encoded), encodeCredentialFields(fields, undefined)],
  },
  {
    name: 'a statement',
    valid: statements.map(({ encoded }) => encoded),
    decode: (bytes) => {
      const form = readStatement(bytes);
      verifyStatement(countedCrypto, form);
      return form;
    },
    codes: ['forged', 'unsupported'],
    sealed: true,
    seal: (payload) => signCose(authority.signing, 'pipevine/1 statement', payload),
    payloads: statements.map(({ cose }) => cose.payload),
  },
  {
    name: 'a charter',
    valid: [charter.encoded],
    decode: (bytes) => verifyCharter(countedCrypto, bytes),
    codes: ['forged', 'unsupported'],
    sealed: true,
    seal: (content) => signStatement(authority.signing, { ...charterFields, content }).encoded,
    payloads: [charterContent],
  },
  {
    name: 'a proposal to a quorum',
    valid: [proposal],
    decode: (bytes) => readProposal(countedCrypto, bytes),
    codes: ['forged', 'refused', 'unsupported', 'invalid-argument'],
  },
  {
    name: 'a revocation list',
    valid: [revocations],
    decode: readRevocationList,
    encode: encodeRevocationList,
  },
  {
    name: 'a query for statements',
    valid: [encodeStatementQuery(new Map([[base32Encode(random.bytes(8)), 7]])), encodeStatementQuery(new Map())],
    decode: decodeStatementQuery,
    encode: encodeStatementQuery,
  },
  {
    name: 'a membership request',
    valid: membershipRequests.map(membership.encodeMembershipRequest),
    decode: membership.decodeMembershipRequest,
    encode: membership.encodeMembershipRequest,
    codes: ['unsupported'],
  },
  {
    name: 'the answer to find',
    valid: [membership.encodeFindAnswer([charter.encoded]), membership.encodeFindAnswer([])],
    decode: membership.decodeFindAnswer,
    encode: membership.encodeFindAnswer,
  },
  {
    name: 'the answer to apply',
    valid: [undefined, { salt: nonce, nonce }].map((password) =>
      membership.encodeApplyAnswer({ charter: charter.encoded, proof: administrator.encoded, nowMs: 3, password }),
    ),
    decode: membership.decodeApplyAnswer,
    encode: membership.encodeApplyAnswer,
  },
  {
    name: 'the answer to a password',
    valid: [membership.encodePasswordAnswer({ share, tag })],
    decode: membership.decodePasswordAnswer,
    encode: membership.encodePasswordAnswer,
  },
  {
    name: 'a membership',
    valid: [
      membership.encodeMembershipAnswer({ state: 'joined', credential: byQuorum, statements: [charter.encoded] }),
      membership.encodeMembershipAnswer({ state: 'pending', have: 1, needed: 2 }),
    ],
    decode: membership.decodeMembershipAnswer,
    encode: membership.encodeMembershipAnswer,
  },
  {
    name: 'an application',
    valid: applications.map(application.encodeApplication),
    decode: application.decodeApplication,
    encode: application.encodeApplication,
  },
  {
    name: 'an approval',
    valid: approvals.map(application.encodeApproval),
    decode: application.decodeApproval,
    encode: application.encodeApproval,
  },
  {
    name: 'a query for peer information',
    valid: [encodeInfoQuery({ links: true }), encodeInfoQuery({ links: false })],
    decode: decodeInfoQuery,
    encode: encodeInfoQuery,
  },
  {
    name: 'peer information',
    valid: [encodePeerInfo(info), encodePeerInfo({ ...info, memoryBytes: undefined, links: undefined })],
    decode: decodePeerInfo,
    encode: encodePeerInfo,
  },
  {
    name: 'a discovery query',
    valid: [
      discovery.encodeQuery({ kind: 'thing', limit: 5, watch: true, proofs: true, walk: true }),
      discovery.encodeQuery({
        kind: 'peer',
        limit: 1,
        watch: false,
        proofs: false,
        walk: false,
        publisher: member.id,
        key: 'k',
        name: 'n*',
        attributes: { a: '*', b: 'c' },
      }),
    ],
    decode: discovery.decodeQuery,
    encode: discovery.encodeQuery,
    codes: ['unsupported'],
  },
  {
    name: 'an item of a discovery answer',
    valid: [
      discovery.encodeItem({ type: 'advertisements', encoded: [tag, nonce] }),
      discovery.encodeItem({ type: 'end', complete: true }),
    ],
    decode: discovery.decodeItem,
    encode: discovery.encodeItem,
  },
];

/** A quorum's credential over a payload that all approvers have signed, whatever it says. */
export function approvedByAll(payload: Uint8Array): Uint8Array {
  return assemble(charter, payload, voice(payload));
}

export const approvedPayload = proposal;
