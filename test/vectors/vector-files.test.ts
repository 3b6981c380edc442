import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { decode, Tagged } from 'cborg';
import { describe, expect, it } from 'vitest';
import { ALL_SETS } from './all-sets.ts';
import { Cddl } from './cddl.ts';
import { fromHex } from './hex.ts';
import { readVectorFile, toVectorFile } from './vector-file.ts';

const ROOT = new URL('../../', import.meta.url);
/** Another decoder, so that what is written is CBOR for others too. */
const independently = (hex: unknown) =>
  decode(fromHex(hex), { useMaps: true, strict: true, tags: Tagged.preserve(18) });
const signedForm = new Cddl(readFileSync(new URL('docs/protocol/advertisement.cddl', ROOT), 'utf8'));

describe.each(ALL_SETS.map((set) => [set.name, set] as const))('%s', (_, set) => {
  const file = readVectorFile(set.name);
  const cases = file?.cases ?? [];

  it('is what this implementation writes: run `node test/vectors/make.ts --write` for new cases', () => {
    expect(file).toEqual(toVectorFile(set));
  });

  it('names each case once, and a document that is there', () => {
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
    expect(existsSync(new URL(set.document, ROOT))).toBe(true);
  });

  it.each(set.vectors.map((vector, index) => ({ name: vector.data.name, vector, index })))(
    'is read as it says: $name',
    async ({ vector, index }) => {
      const data = cases[index];
      if (data === undefined) throw new Error('The file lacks this case.');
      await vector.check(data);
    },
  );

  if (set.cddl === undefined) return;
  const cddl = new Cddl(readFileSync(new URL(`docs/protocol/${set.cddl}`, ROOT), 'utf8'));

  it.each(cases.filter((one) => one.cddl !== undefined))('is described by the CDDL: $name', ({ cddl: rule, bytes }) => {
    expect(cddl.matches(String(rule), independently(bytes))).toBe(true);
  });

  it.each(cases.filter((one) => one.contentCddl !== undefined))(
    'is described by the CDDL, as is what is sealed in it: $name',
    ({ contentCddl, content }) => {
      expect(cddl.matches(String(contentCddl), independently(content))).toBe(true);
    },
  );

  it.each(cases.filter((one) => one.payloadCddl !== undefined))(
    'is signed and described by the CDDL: $name',
    ({ payloadCddl, payload, signed }) => {
      const item = independently(signed);
      expect(item).toBeInstanceOf(Tagged);
      const members: unknown = (item as Tagged).value; // As was just expected.
      expect(signedForm.matches('cose-sign1', members)).toBe(true);
      expect(
        signedForm.matches(
          'protected-header',
          independently(Buffer.from((members as Uint8Array[])[0] ?? []).toString('hex')),
        ),
      ).toBe(true);
      expect(cddl.matches(String(payloadCddl), independently(payload))).toBe(true);
    },
  );
});

it('every rule that a message is written by has a case', () => {
  // Rules that stand for what is part of another, or is under another name.
  const named = new Set(
    ALL_SETS.flatMap(({ cddl, vectors }) =>
      vectors.map(({ data }) => `${cddl}#${String(data.cddl ?? data.payloadCddl)}`),
    ),
  );
  for (const message of [
    'wire.cddl#frame',
    'wire.cddl#identity-payload',
    'advertisement.cddl#advertisement',
    'group.cddl#credential',
    'group.cddl#statement',
    'group.cddl#quorum-credential',
    'group.cddl#statement-query',
    'membership.cddl#request',
    'resolver.cddl#request',
    'resolver.cddl#message',
    'resolver.cddl#answer',
    'rendezvous.cddl#rendezvous-request',
    'discovery.cddl#local-packet',
    'discovery.cddl#query',
    'discovery.cddl#item',
    'mailbox.cddl#mailbox-request',
    'mailbox.cddl#envelope',
    'relay.cddl#relay-request',
    'relay.cddl#pipe-report',
    'relay.cddl#route-query',
    'relay.cddl#route-answer',
    'membership.cddl#who-admits-answer',
    'punch.cddl#offer',
    'pipe.cddl#stream-message',
    'propagate.cddl#envelope',
    'thing.cddl#request',
    'peerinfo.cddl#query',
    'pipe.cddl#request-message',
  ]) {
    expect(named).toContain(message);
  }
});

it('the map of the documents names each of them, and each file of vectors', () => {
  const folder = new URL('docs/protocol/', ROOT);
  const map = readFileSync(new URL('README.md', folder), 'utf8');
  const documents = readdirSync(folder).filter((name) => name !== 'README.md');
  expect(documents.length).toBeGreaterThan(20);
  for (const name of documents) expect(map).toContain(`(${name})`);
  for (const { name } of ALL_SETS) expect(map).toContain(`\`${name}\``);
  const files = readdirSync(new URL('.', import.meta.url)).filter((name) => name.endsWith('.json'));
  expect(files.sort()).toEqual(ALL_SETS.map(({ name }) => `${name}.json`).sort());
});
