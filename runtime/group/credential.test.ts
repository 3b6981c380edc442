import { nodeCrypto } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { signCose } from '../advertisement/cose-sign1.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { base32Encode } from '../id/base32.ts';
import { groupIdFromBytes, WORLD_GROUP } from '../id/group-id.ts';
import { identityFromSeed } from '../id/identity.ts';
import { CborTag, type CborValue } from '../wire/cbor-value.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readTag } from '../wire/shape.ts';
import { checkCredential } from './credential-check.ts';
import { type CredentialFields, signCredential, verifyCredential } from './credential-codec.ts';

const identity = (byte: number) => identityFromSeed(nodeCrypto, new Uint8Array(32).fill(byte));
const authority = identity(1);
const group = groupIdFromBytes(authority.signing.publicKey);
const member = identity(2);
const administrator = identity(3);
const host = identity(4);
const DAY = 86_400_000;
const NOW = 1_767_225_600_000;

function fields(change: Partial<CredentialFields> = {}): CredentialFields {
  return {
    group,
    subject: member.id,
    roles: ['member'],
    notBeforeMs: NOW,
    notAfterMs: NOW + 30 * DAY,
    serial: base32Encode(new Uint8Array(16).fill(7)),
    capabilities: ['relay', 'name:kitchen*'],
    version: 3,
    ...change,
  };
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof PipevineError) return error.code;
    throw error;
  }
  return 'none';
}

const verify = (encoded: Uint8Array) => verifyCredential(nodeCrypto, encoded);
const administratorCredential = signCredential(
  authority.signing,
  fields({ subject: administrator.id, roles: ['member', 'administrator'] }),
);
const hostCredential = signCredential(authority.signing, fields({ subject: host.id, roles: ['member', 'host'] }));

describe('the credential codec', () => {
  it('reads what the authority signed', () => {
    const signed = signCredential(authority.signing, fields());
    expect(verify(signed.encoded)).toEqual([signed]);
    expect(signed).toMatchObject(fields());
  });

  it('refuses every change of any byte', () => {
    const { encoded } = signCredential(authority.signing, fields());
    for (let at = 0; at < encoded.length; at++) {
      const changed = encoded.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(['malformed', 'forged'], `byte ${at}`).toContain(codeOf(() => verify(changed)));
      expect(codeOf(() => verify(encoded.subarray(0, at)))).toBe('malformed');
    }
  });

  it('refuses a signature over other members, whichever they are', () => {
    const signature = members(signCredential(authority.signing, fields()).encoded)[3] ?? null;
    const forgeries: Partial<CredentialFields>[] = [
      { subject: host.id },
      { roles: ['member', 'administrator'] },
      { notBeforeMs: 0 },
      { notAfterMs: NOW + 31 * DAY },
      { serial: base32Encode(new Uint8Array(16)) },
      { capabilities: ['administer'] },
      { capabilities: [] },
      { version: 4 },
      { version: 0 },
    ];
    for (const forgery of forgeries) {
      const other = members(signCredential(authority.signing, fields(forgery)).encoded);
      other[3] = signature;
      expect(codeOf(() => verify(encodeCanonical(new CborTag(18, other))))).toBe('forged');
    }
  });

  it('refuses one that somebody else signed for the group, or that the authority signed as something else', () => {
    expect(codeOf(() => verify(signCredential(member.signing, fields()).encoded))).toBe('forged');
    const payload = members(signCredential(authority.signing, fields()).encoded)[2] as Uint8Array; // Bytes, as written.
    expect(codeOf(() => verify(signCose(authority.signing, 'pipevine/1 credential', payload)))).toBe('none');
    expect(codeOf(() => verify(signCose(authority.signing, 'pipevine/1 advertisement', payload)))).toBe('forged');
  });

  it('lets an administrator sign for any role, and an administrator that one made too', () => {
    const byFirst = signCredential(
      administrator.signing,
      fields({ subject: host.id, roles: ['administrator'] }),
      administratorCredential.encoded,
    );
    expect(verify(byFirst.encoded).map(({ subject }) => subject)).toEqual([host.id, administrator.id]);
    const bySecond = signCredential(host.signing, fields({ roles: ['administrator'] }), byFirst.encoded);
    expect(verify(bySecond.encoded).map(({ subject }) => subject)).toEqual([member.id, host.id, administrator.id]);
    const byThird = signCredential(member.signing, fields({ subject: identity(9).id }), bySecond.encoded);
    expect(codeOf(() => verify(byThird.encoded))).toBe('malformed');
  });

  it('lets who has the capability to administer sign without the role', () => {
    const capable = signCredential(
      authority.signing,
      fields({ subject: administrator.id, roles: ['guest'], capabilities: ['administer'] }),
    );
    const signed = signCredential(administrator.signing, fields({ roles: ['gateway'] }), capable.encoded);
    expect(verify(signed.encoded)).toHaveLength(2);
  });

  it('lets a host sign plain members only, and a plain member nobody', () => {
    const hosted = signCredential(host.signing, fields({ capabilities: [] }), hostCredential.encoded);
    expect(verify(hosted.encoded)).toHaveLength(2);
    for (const more of [{ roles: ['member', 'host'], capabilities: [] }, { capabilities: ['discover'] }]) {
      const raised = signCredential(host.signing, fields(more), hostCredential.encoded);
      expect(codeOf(() => verify(raised.encoded))).toBe('refused');
    }
    const plain = signCredential(authority.signing, fields());
    const bySomeone = signCredential(member.signing, fields({ subject: host.id }), plain.encoded);
    expect(codeOf(() => verify(bySomeone.encoded))).toBe('refused');
  });

  it('refuses an issuer that is not who signed, or is of another group', () => {
    const stolen = signCredential(member.signing, fields(), administratorCredential.encoded);
    expect(codeOf(() => verify(stolen.encoded))).toBe('forged');
    const elsewhere = identity(8);
    const other = groupIdFromBytes(elsewhere.signing.publicKey);
    const foreign = signCredential(
      elsewhere.signing,
      fields({ group: other, subject: administrator.id, roles: ['administrator'] }),
    );
    const crossed = signCredential(administrator.signing, fields(), foreign.encoded);
    expect(codeOf(() => verify(crossed.encoded))).toBe('forged');
  });

  it.each<[string, Partial<CredentialFields>]>([
    ['without a role', { roles: [] }],
    ['with nine roles', { roles: Array.from({ length: 9 }, (_, i) => `r${i}`) }],
    ['with too long a role', { roles: ['r'.repeat(33)] }],
    ['with a time before 1970', { notBeforeMs: -1 }],
    ['with a capability that there is none of', { capabilities: ['fly'] }],
    ['with a claim to no name', { capabilities: ['name:'] }],
    ['with too long a claim', { capabilities: [`name:${'n'.repeat(60)}`] }],
    ['with 17 capabilities', { capabilities: Array.from({ length: 17 }, (_, i) => `name:${i}`) }],
  ])('does not sign one %s', (_, change) => {
    expect(codeOf(() => signCredential(authority.signing, fields(change)))).toBe('malformed');
  });

  it('does not sign one with a serial of another length', () => {
    expect(codeOf(() => signCredential(authority.signing, fields({ serial: 'aa' })))).toBe('invalid-argument');
  });
});

describe('checking a credential', () => {
  const expected = { group, subject: member.id, nowMs: NOW + DAY, isRevoked: () => false };
  const chain = verify(signCredential(administrator.signing, fields(), administratorCredential.encoded).encoded);

  it('returns the credential of the member', () => {
    expect(checkCredential(chain, expected)).toBe(chain[0]);
  });

  it.each([
    ['of another group', { group: WORLD_GROUP }, 'refused'],
    ['of another peer', { subject: host.id }, 'refused'],
    ['more than 5 minutes too early', { nowMs: NOW - 5 * 60_000 - 1 }, 'refused'],
    ['too late', { nowMs: NOW + 30 * DAY }, 'expired'],
    ['revoked', { isRevoked: () => true }, 'revoked'],
  ])('refuses one that is %s', (_, change, code) => {
    expect(codeOf(() => checkCredential(chain, { ...expected, ...change }))).toBe(code);
  });

  it('bears clocks that are 5 minutes behind', () => {
    expect(codeOf(() => checkCredential(chain, { ...expected, nowMs: NOW - 5 * 60_000 }))).toBe('none');
  });

  it('says what to do when it ran out', () => {
    expect(() => checkCredential(chain, { ...expected, nowMs: NOW + 31 * DAY })).toThrow(
      /24 hours ago.*pipevine invite/,
    );
  });

  it('falls with its issuer', () => {
    const issuer = signCredential(
      authority.signing,
      fields({
        subject: administrator.id,
        roles: ['administrator'],
        notAfterMs: NOW + DAY,
        serial: base32Encode(new Uint8Array(16)),
      }),
    );
    const issued = verify(signCredential(administrator.signing, fields(), issuer.encoded).encoded);
    expect(codeOf(() => checkCredential(issued, expected))).toBe('expired');
    const isRevoked = (serial: string, version: number, depth?: number): boolean =>
      serial === issuer.serial && version < 4 && depth === 1;
    expect(codeOf(() => checkCredential(issued, { ...expected, nowMs: NOW, isRevoked }))).toBe('revoked');
  });
});

function members(encoded: Uint8Array): CborValue[] {
  // A COSE_Sign1 is an array of four.
  return [...(readTag(decodeStrict(encoded, { allowedTags: [18] }), 'it', 18) as CborValue[])];
}
