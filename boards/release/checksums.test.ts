import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { verifyFile, writeChecksums } from './checksums.ts';
import { createSigningKey, forgetKey, publicKeyText, readSigningKey, trustedKeys, trustKey } from './signing-key.ts';

let folder: string;
let keys: string;
let file: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipevine-release-'));
  keys = join(folder, 'keys');
  file = join(folder, 'pipevine.deb');
  writeFileSync(file, 'the package');
  await writeChecksums(folder, ['pipevine.deb'], createSigningKey(keys));
});
afterEach(() => rmSync(folder, { recursive: true }));

const edit = (name: string, change: (text: string) => string) =>
  writeFileSync(join(folder, name), change(readFileSync(join(folder, name), 'utf8')));

describe('a file of a release', () => {
  it('is good when its maker is trusted', async () => {
    expect(await verifyFile(file, trustedKeys(keys))).toMatchObject({ signer: 'own' });
  });

  it('is refused when a byte of it changed', async () => {
    writeFileSync(file, 'the packagf');
    await expect(verifyFile(file, trustedKeys(keys))).rejects.toMatchObject({ code: 'refused' });
  });

  it('is refused when the checksums were made to fit', async () => {
    edit('SHA256SUMS', (text) => text.replace(/[0-9a-f]{64}/, '0'.repeat(64)));
    await expect(verifyFile(file, trustedKeys(keys))).rejects.toThrow(/is not what "own" has signed/);
  });

  it('is refused when somebody else signed it', async () => {
    await writeChecksums(folder, ['pipevine.deb'], createSigningKey(join(folder, 'other')));
    await expect(verifyFile(file, trustedKeys(keys))).rejects.toThrow(/not trusted here/);
  });

  it('is refused when a trusted key signed something that is no release', async () => {
    const key = readSigningKey(keys);
    if (key === undefined) throw new Error('no key');
    const { signWith } = await import('./signing-key.ts');
    edit('SHA256SUMS', (text) => text.replace('# pipevine release 1\n', ''));
    const signature = signWith(key, readFileSync(join(folder, 'SHA256SUMS')));
    writeFileSync(join(folder, 'SHA256SUMS.sig'), `${publicKeyText(key)}\n${signature}\n`);
    await expect(verifyFile(file, trustedKeys(keys))).rejects.toMatchObject({ code: 'refused' });
  });

  it('is not found in a release that does not name it', async () => {
    writeFileSync(join(folder, 'other.deb'), 'x');
    await expect(verifyFile(join(folder, 'other.deb'), trustedKeys(keys))).rejects.toMatchObject({ code: 'not-found' });
  });
});

describe('keys', () => {
  it('of others are trusted by name until they are forgotten', async () => {
    const [own] = trustedKeys(keys);
    const elsewhere = join(folder, 'elsewhere');
    trustKey(elsewhere, 'maker', own?.publicKey ?? '');
    expect(await verifyFile(file, trustedKeys(elsewhere))).toMatchObject({ signer: 'maker' });
    forgetKey(elsewhere, 'maker');
    await expect(verifyFile(file, trustedKeys(elsewhere))).rejects.toMatchObject({ code: 'refused' });
  });

  it.each(['', '../key', 'own', 'a/b'])('have no name like %j, which would lead elsewhere', (name) => {
    expect(() => trustKey(keys, name, trustedKeys(keys)[0]?.publicKey ?? '')).toThrow(/expected a name/);
  });

  it('are 32 bytes', () => {
    expect(() => trustKey(keys, 'short', 'AAAA')).toThrow(/32 bytes/);
  });

  it('are never replaced', () => {
    expect(() => createSigningKey(keys)).toThrow(/already/);
  });

  it('that others can read are not used', () => {
    chmodSync(join(keys, 'signing.key'), 0o644);
    expect(() => readSigningKey(keys)).toThrow(/chmod 600/);
  });
});
