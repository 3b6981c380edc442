/** What the codecs write is what docs/protocol says, as an independent decoder reads it; what it forbids, they refuse. */
import { readFileSync } from 'node:fs';
import { nodeCrypto, SeededRandom } from '@pipevine/transports';
import { decode, Tagged } from 'cborg';
import { describe, expect, it } from 'vitest';
import { ADVERTISEMENT_KINDS } from '../../runtime/advertisement/advertisement.ts';
import {
  type AdvertisementFields,
  signAdvertisement,
  verifyAdvertisement,
} from '../../runtime/advertisement/advertisement-codec.ts';
import * as limits from '../../runtime/advertisement/advertisement-defaults.ts';
import { signCose } from '../../runtime/advertisement/cose-sign1.ts';
import { encodeDelegationBody } from '../../runtime/advertisement/delegation-body.ts';
import { encodeNameBody } from '../../runtime/advertisement/name-body.ts';
import { encodePeerBody } from '../../runtime/advertisement/peer-body.ts';
import { encodePipeBody } from '../../runtime/advertisement/pipe-body.ts';
import { groupIdFromBytes } from '../../runtime/id/group-id.ts';
import { identityFromSeed } from '../../runtime/id/identity.ts';
import { encodeCanonical } from '../../runtime/wire/encode.ts';
import { Cddl } from '../vectors/cddl.ts';

const load = (name: string) => new Cddl(readFileSync(new URL(`../../docs/protocol/${name}`, import.meta.url), 'utf8'));
const advertisements = load('advertisement.cddl');

const random = new SeededRandom('cose');
const authority = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(1));
const group = groupIdFromBytes(authority.signing.publicKey);
const read = (bytes: Uint8Array): unknown => decode(bytes, { useMaps: true, strict: true });

function parts(encoded: Uint8Array): unknown[] {
  const item = decode(encoded, { useMaps: true, strict: true, tags: Tagged.preserve(18) }) as Tagged;
  expect(item.tag).toBe(18);
  return item.value as unknown[];
}

function randomFields(): AdvertisementFields {
  const text = (max: number) => '\u00e4'.repeat(random.integer(max / 2 + 1));
  const count = Math.min(random.integer(40), limits.MAX_ATTRIBUTES);
  return {
    kind: ADVERTISEMENT_KINDS[random.integer(ADVERTISEMENT_KINDS.length)] ?? 'peer',
    group,
    key: text(limits.MAX_KEY_BYTES),
    sequence: random.integer(2 ** 32) * random.integer(2 ** 20),
    issuedAtMs: random.integer(2 ** 32),
    expirationMs: random.integer(3) * 1_000,
    name: text(limits.MAX_ADVERTISED_NAME_BYTES),
    attributes: new Map(Array.from({ length: count }, (_, i) => [`a${i}`, text(limits.MAX_ATTRIBUTE_VALUE_BYTES)])),
    body: random.bytes(random.integer(3) * random.integer(20_000)),
  };
}

describe('advertisement.cddl', () => {
  it('describes what the codec signs', () => {
    for (let i = 0; i < 300; i++) {
      const { encoded } = signAdvertisement(authority, randomFields());
      const members = parts(encoded);
      expect(advertisements.matches('cose-sign1', members)).toBe(true);
      expect(advertisements.matches('protected-header', read(members[0] as Uint8Array))).toBe(true);
      expect(advertisements.matches('advertisement', read(members[2] as Uint8Array))).toBe(true);
    }
  });

  it('agrees with the codec on payloads that are a little wrong', () => {
    const base = new Map<number, unknown>(
      read(
        parts(signAdvertisement(authority, { ...randomFields(), key: 'k', name: 'n' }).encoded)[2] as Uint8Array,
      ) as Map<number, unknown>,
    );
    const values = [
      undefined,
      0,
      -1,
      9,
      1.5,
      '',
      'text',
      'x'.repeat(129),
      new Uint8Array(0),
      new Uint8Array(32),
      new Map(),
      new Map([['', 'x']]),
      new Map([['a', 'x']]),
      [],
      null,
    ];
    let refused = 0;
    for (const key of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) {
      for (const value of values) {
        const changed = new Map(base);
        if (value === undefined) changed.delete(key);
        else changed.set(key, value);
        const payload = encodeCanonical(changed as Parameters<typeof encodeCanonical>[0]);
        const described = advertisements.matches('advertisement', read(payload));
        let taken = true;
        try {
          verifyAdvertisement(nodeCrypto, signCose(authority.signing, 'pipevine/1 advertisement', payload));
        } catch (error) {
          // That a group advertisement is another's is beyond CDDL.
          taken = (error as { code?: string }).code === 'forged';
          refused++;
        }
        expect(taken, `key ${key} is ${String(value)}`).toBe(described);
      }
    }
    expect(refused).toBeGreaterThan(50);
  });

  it('describes the bodies', () => {
    const staticKey = random.bytes(32);
    const bodies: [string, Uint8Array][] = [
      ['peer-body', encodePeerBody({ addresses: ['tcp://a:1'], roles: ['gateway'], profile: 'edge', staticKey })],
      ['peer-body', encodePeerBody({ addresses: [], roles: [], profile: '', staticKey })],
      [
        'peer-body',
        encodePeerBody({ addresses: [], roles: [], profile: '', staticKey, credential: random.bytes(700) }),
      ],
      ['pipe-body', encodePipeBody({ kind: 'request' })],
      ['name-body', encodeNameBody({ peer: authority.id, service: '' })],
      ['name-body', encodeNameBody({ peer: authority.id, service: 'web' })],
      ['delegation-body', encodeDelegationBody({ delegate: authority.id, notAfterMs: 1_800_000_000_000 })],
    ];
    for (const [rule, body] of bodies) expect(advertisements.matches(rule, read(body)), rule).toBe(true);
  });

  it('names the limits that the codec enforces', () => {
    const source = readFileSync(new URL('../../docs/protocol/advertisement.cddl', import.meta.url), 'utf8');
    expect(source).toContain(`(1..${limits.MAX_BODY_BYTES})`);
    expect(source).toContain(`at most ${limits.MAX_ADVERTISEMENT_BYTES.toLocaleString('en')} bytes`);
    expect(source).toContain(
      `1*${limits.MAX_ATTRIBUTES} attribute-name => text .size (0..${limits.MAX_ATTRIBUTE_VALUE_BYTES})`,
    );
    expect(advertisements.matches('attribute-name', 'x'.repeat(limits.MAX_ATTRIBUTE_NAME_BYTES))).toBe(true);
    expect(advertisements.matches('attribute-name', 'x'.repeat(limits.MAX_ATTRIBUTE_NAME_BYTES + 1))).toBe(false);
    expect(advertisements.matches('kind', ADVERTISEMENT_KINDS.length - 1)).toBe(true);
    expect(advertisements.matches('kind', ADVERTISEMENT_KINDS.length)).toBe(false);
  });
});
