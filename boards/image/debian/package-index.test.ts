import { expect, it } from 'vitest';
import { archives, dateOf, indexHashes } from './package-index.ts';

const [A, B, C] = ['a', 'b', 'c'].map((digit) => digit.repeat(64));
const RELEASE = `Origin: Debian
Date: Sat, 12 Sep 2026 07:55:41 UTC
MD5Sum:
 ${'d'.repeat(32)}  100 main/binary-arm64/Packages.xz
SHA256:
 ${C}  100 main/binary-amd64/Packages.xz
 ${A}  9412 main/binary-arm64/Packages.xz
 ${B}  7 non-free-firmware/binary-arm64/Packages.xz
`;

it('takes the SHA-256 of what there is for arm64, and nothing else', () => {
  expect(indexHashes(RELEASE)).toEqual([A, B]);
  expect(dateOf(RELEASE)).toBe(Date.UTC(2026, 8, 12, 7, 55, 41) / 1_000);
});

it.each(['', '<html>', RELEASE.replace(`${A}  9412`, 'zz'), RELEASE.slice(0, RELEASE.indexOf('SHA256'))])(
  'refuses what is no release file of Debian: %#',
  (text) => {
    expect(() => indexHashes(text)).toThrow(/mirror lists no packages/);
  },
);

it('refuses a release file without a date', () => {
  expect(() => dateOf('Date: soon\n')).toThrow(/has no date/);
});

it('asks the security archive for security updates only', () => {
  expect(archives({ mirror: 'http://m', security: 'http://s' })).toEqual([
    { url: 'http://m', suite: 'trixie' },
    { url: 'http://m', suite: 'trixie-updates' },
    { url: 'http://s', suite: 'trixie-security' },
  ]);
});
