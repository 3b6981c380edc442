import { seededRandom } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { parseRequest } from '../../transports/http/long-poll-wire.ts';
import { describeCodec } from './codec-fuzz.ts';
import { DATA_PLANE_CODECS } from './data-plane-codecs.ts';
import { PATH_CODECS } from './path-codecs.ts';
import { STORAGE_CODECS } from './storage-codecs.ts';

for (const codec of [...DATA_PLANE_CODECS, ...STORAGE_CODECS, ...PATH_CODECS]) describeCodec(codec);

describe('the target of a request of long polling', () => {
  it('is read when it is ours, and nothing otherwise, whatever it is', () => {
    const random = seededRandom('long poll fuzz');
    const target = `/pipevine/${'5d'.repeat(16)}/up/65536?7`;
    expect(parseRequest('POST', target)).toEqual({ session: '5d'.repeat(16), verb: 'up', offset: 65_536 });
    const characters = [...'/0129af?upendow.%\u0000\u{1f600}'];
    let taken = 0;
    for (let i = 0; i < 5_000; i++) {
      const text = [...target];
      for (let edits = random.integer(3); edits >= 0; edits--) {
        text.splice(
          random.integer(text.length),
          random.integer(3),
          characters[random.integer(characters.length)] ?? '',
        );
      }
      const request = parseRequest(['GET', 'POST', undefined][random.integer(3)], text.join(''));
      if (request === undefined) continue;
      taken++;
      expect(request.session).toMatch(/^[0-9a-f]{32}$/);
      expect(Number.isSafeInteger(request.offset) && request.offset >= 0).toBe(true);
    }
    expect(taken).toBeGreaterThan(0);
    expect(parseRequest('POST', `/pipevine/${'5d'.repeat(16)}/up/9007199254740993`)).toBeUndefined();
    expect(parseRequest('POST', '/'.repeat(100_000))).toBeUndefined();
  });
});
