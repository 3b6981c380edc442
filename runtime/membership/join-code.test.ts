import { seededRandom } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { formatJoinCode, formatJoinLink, parseJoinCode } from './join-code.ts';

const random = seededRandom(1);
const code = { fingerprint: random.bytes(16), secret: random.bytes(10) };
const text = formatJoinCode(code);
const invalid = expect.objectContaining({ code: 'invalid-argument' });

describe('a join code', () => {
  it('has nine groups of five characters and begins with B', () => {
    expect(text).toMatch(/^B[A-Z2-7]{4}(-[A-Z2-7]{5}){8}$/);
    expect(parseJoinCode(text)).toEqual({ ...code, seeds: [] });
  });

  it('matches a vector', () => {
    const bytes = (length: number, first: number) => Uint8Array.from({ length }, (_, i) => first + i);
    const vector = 'BAAAQ-EAYEA-UDAOC-AJBIF-QYDIO-B6AID-AUDQS-CYNB4-IREFJ';
    expect(formatJoinCode({ fingerprint: bytes(16, 0), secret: bytes(10, 0x80) })).toBe(vector);
  });

  it.each([
    ['lower case', text.toLowerCase()],
    ['no dashes', text.replaceAll('-', '')],
    ['spaces', `  ${text.replaceAll('-', ' ')}\n`],
    ['dashes elsewhere', text.replaceAll('-', '').replaceAll(/(.{7})/g, '$1\u2013')],
    ['0 for O and 8 for B', text.replaceAll('O', '0').replaceAll('B', '8').replaceAll('I', '1')],
  ])('is read with %s', (_, variant) => {
    expect(parseJoinCode(variant)).toEqual({ ...code, seeds: [] });
  });

  it('tells every single wrong character and every swap of neighbours', () => {
    const plain = text.replaceAll('-', '');
    for (let at = 0; at < plain.length; at++) {
      for (const wrong of 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567') {
        if (wrong === plain[at]) continue;
        const typo = plain.slice(0, at) + wrong + plain.slice(at + 1);
        expect(() => parseJoinCode(typo), typo).toThrow(/typo/);
      }
      const swapped = plain.slice(0, at) + (plain[at + 1] ?? '') + plain[at] + plain.slice(at + 2);
      if (swapped !== plain) expect(() => parseJoinCode(swapped), swapped).toThrow(/typo/);
    }
  });

  it('says what is wrong with it', () => {
    expect(() => parseJoinCode(text.slice(1))).toThrow(/44 characters instead of 45.*BXXXX/);
    expect(() => parseJoinCode(text.replace(/.$/, '!'))).toThrow(/"!" in group 9/);
    expect(() => parseJoinCode(text.replace(/.$/, '9'))).toThrow(/"9" in group 9/);
    for (const other of ['', 'x'.repeat(1_000), 'https://example.org', '\u0000', `${text}A`]) {
      expect(() => parseJoinCode(other)).toThrow(invalid);
    }
  });

  it('is never read as another one by accident, whatever is changed', () => {
    for (let i = 0; i < 5_000; i++) {
      const characters = [...text.replaceAll('-', '')];
      for (let n = 0; n < 3; n++)
        characters[random.integer(45)] = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[random.integer(32)] ?? 'A';
      try {
        const read = parseJoinCode(characters.join(''));
        expect(formatJoinCode(read).replaceAll('-', '')).toBe(characters.join(''));
      } catch (error) {
        expect(['invalid-argument', 'unsupported']).toContain((error as { code?: string }).code);
      }
    }
  });
});

describe('a join link', () => {
  const seeds = ['tcp://gateway.local:4001', 'tcp://[fe80::1%25eth0]:4001'];

  it('carries the code and the seeds', () => {
    const link = formatJoinLink({ ...code, seeds });
    expect(link).toBe(
      `pipevine://join/${text}?seed=tcp%3A%2F%2Fgateway.local%3A4001&seed=tcp%3A%2F%2F%5Bfe80%3A%3A1%2525eth0%5D%3A4001`,
    );
    expect(parseJoinCode(link)).toEqual({ ...code, seeds });
    expect(formatJoinLink({ ...code, seeds: [] })).toBe(`pipevine://join/${text}`);
  });

  it('is read in any case, with a slash and with members of later versions', () => {
    expect(parseJoinCode(`PIPEVINE://JOIN/${text.toLowerCase()}/?x=1&seed=tcp%3A%2F%2Fa%3A1`).seeds).toEqual([
      'tcp://a:1',
    ]);
  });

  it.each([
    'seed=%',
    'seed=gateway',
    'seed=tcp%3A%2F%2Fa%20b',
    'seed=',
    `seed=tcp://${'a'.repeat(300)}`,
    'seed=tcp://a&'.repeat(9),
  ])('is refused with %j', (query) => {
    expect(() => parseJoinCode(`pipevine://join/${text}?${query}`)).toThrow(invalid);
  });
});
