import { readFileSync } from 'node:fs';
import { nodeCrypto, seededRandom } from '@pipevine/transports';
import { decode, Tagged } from 'cborg';
import { describe, expect, it } from 'vitest';
import { Cddl } from '../../test/vectors/cddl.ts';
import { base32Encode } from '../id/base32.ts';
import { groupIdFromBytes } from '../id/group-id.ts';
import { identityFromSeed } from '../id/identity.ts';
import { encodeCharterContent } from './charter.ts';
import { signCredential } from './credential-codec.ts';
import * as limits from './group-defaults.ts';
import { encodeStatementQuery } from './group-sync-codec.ts';
import type { MembershipPolicy } from './membership-policy.ts';
import { approve, assemble, proposalFor } from './quorum.ts';
import { encodeRevocationList } from './revocation-list.ts';
import { STATEMENT_TYPES, signStatement } from './statement-codec.ts';

const source = readFileSync(new URL('../../docs/protocol/group.cddl', import.meta.url), 'utf8');
const cddl = new Cddl(source);
const random = seededRandom(1);
const authority = identityFromSeed(nodeCrypto, random.bytes(32));
const group = groupIdFromBytes(authority.signing.publicKey);
const serial = base32Encode(random.bytes(16));

/** An independent decoder, so that what is written here is CBOR for others too. */
const independently = (bytes: Uint8Array): unknown =>
  decode(bytes, { useMaps: true, strict: true, tags: Tagged.preserve(18) });
const payloadOf = (cose: Uint8Array): Uint8Array => ((independently(cose) as Tagged).value as Uint8Array[])[2] ?? cose; // As COSE_Sign1 is.

describe('group.cddl', () => {
  const fields = { group, subject: authority.id, roles: ['member'], notBeforeMs: 1, notAfterMs: 2, serial };
  const credential = signCredential(authority.signing, fields);
  const approvers = [authority.id];
  const policies: MembershipPolicy[] = [
    { type: 'open' },
    { type: 'code' },
    { type: 'password' },
    { type: 'approval' },
    { type: 'quorum', needed: 1, approvers },
  ];
  const charters = policies.map((policy) =>
    encodeCharterContent({ name: 'Home', policy, listed: true, roles: ['member'] }),
  );

  it('describes credentials: plain, with all members, and those of a quorum', () => {
    const full = { ...fields, capabilities: ['publish', 'name:k*'], version: 2 };
    const all = [credential, signCredential(authority.signing, full, credential.encoded)];
    for (const { encoded } of all) {
      expect(cddl.matches('credential', independently(payloadOf(encoded)))).toBe(true);
      expect(cddl.matches('encoded-credential', encoded)).toBe(true);
      expect(cddl.matches('quorum-credential', independently(payloadOf(encoded)))).toBe(false);
    }
    const statement = { group, type: 'charter', key: '', sequence: 1, untilMs: 2, credential: undefined } as const;
    const content = charters[4] ?? expect.fail();
    const { encoded } = signStatement(authority.signing, { ...statement, content });
    const [name, roles, listed] = ['Home', ['member'], true];
    const charter = { group, name, roles, listed, policy: policies[4] ?? expect.fail(), sequence: 1, encoded };
    const payload = proposalFor(charter, { subject: authority.id, nowMs: 1, random });
    const approvals = [{ approver: authority.id, signature: approve(authority.signing, payload) }];
    expect(cddl.matches('proposal', independently(payload))).toBe(true);
    expect(cddl.matches('quorum-credential', independently(assemble(charter, payload, approvals)))).toBe(true);
  });

  it('describes statements and what is in them', () => {
    for (const type of STATEMENT_TYPES) {
      for (const issuer of [undefined, credential.encoded]) {
        const rest = { key: 'k', sequence: 1, untilMs: 2, credential: issuer, content: new Uint8Array(3) };
        const { encoded } = signStatement(authority.signing, { group, type, ...rest });
        expect(cddl.matches('statement', independently(payloadOf(encoded)))).toBe(true);
      }
    }
    for (const content of charters) expect(cddl.matches('charter', independently(content))).toBe(true);
    const entry = { serial, untilMs: 5 };
    const entries = [
      { ...entry, below: Infinity, depth: 0 },
      { ...entry, below: 9, depth: 0 },
      { ...entry, below: Infinity, depth: 3 },
    ];
    const list = independently(encodeRevocationList(entries));
    expect(cddl.matches('revocations', list)).toBe(true);
    expect(list).toMatchObject([{ length: 2 }, { length: 3 }, { length: 4 }]);
    const query = independently(encodeStatementQuery(new Map([[base32Encode(random.bytes(8)), 7]])));
    expect(cddl.matches('statement-query', query)).toBe(true);
  });

  it('names the limits that the codecs enforce', () => {
    expect(cddl.matches('encoded-credential', new Uint8Array(limits.MAX_ENCODED_CREDENTIAL_BYTES))).toBe(true);
    expect(cddl.matches('encoded-credential', new Uint8Array(limits.MAX_ENCODED_CREDENTIAL_BYTES + 1))).toBe(false);
    expect(source).toContain(`[ 1*${limits.MAX_ROLES} role ]`);
    expect(source).toContain(`[ 1*${limits.MAX_CAPABILITIES} capability ]`);
    expect(source).toContain(`[ *${limits.MAX_REVOKED_SERIALS} revoked ]`);
    expect(source).toContain(`[ 1*${limits.MAX_APPROVERS} peer-id ]`);
    expect(source).toContain(`(0..${limits.MAX_STATEMENT_CONTENT_BYTES})`);
    expect(source).toContain(`at most ${limits.MAX_STATEMENT_BYTES.toLocaleString('en')} bytes`);
    expect(source).toContain(`[ *${limits.MAX_STATEMENTS} held ]`);
  });
});
