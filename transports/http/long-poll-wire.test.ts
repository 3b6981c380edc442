import { describe, expect, it } from 'vitest';
import { decodeAnswer, encodeAnswer, parseRequest, requestPath } from './long-poll-wire.ts';

const SESSION = '00112233445566778899aabbccddeeff';

describe('requests', () => {
  it('are read as they are written, whatever the turn', () => {
    const request = { session: SESSION, verb: 'up', offset: 2 ** 53 - 1 } as const;
    expect(requestPath(request, 7)).toBe(`/pipevine/${SESSION}/up/9007199254740991?7`);
    expect(parseRequest('POST', requestPath(request, 7))).toEqual(request);
    expect(parseRequest('GET', `/pipevine/${SESSION}/down/0`)).toEqual({ session: SESSION, verb: 'down', offset: 0 });
  });

  it.each([
    ['GET', `/pipevine/${SESSION}/up/0`],
    ['POST', `/pipevine/${SESSION}/down/0`],
    ['DELETE', `/pipevine/${SESSION}/reset/0`],
    ['POST', `/pipevine/${SESSION}/up/01`],
    ['POST', `/pipevine/${SESSION}/up/-1`],
    ['POST', `/pipevine/${SESSION}/up/9007199254740992`],
    ['POST', `/pipevine/${SESSION.slice(1)}/up/0`],
    ['POST', `/pipevine/${SESSION.toUpperCase()}/up/0`],
    ['POST', `/pipevine/../${SESSION}/up/0`],
    ['POST', `/pipevine/${SESSION}/shutdown/0`],
    ['POST', ''],
    [undefined, undefined],
  ])('that are not ours are not read: %s %s', (method, path) => {
    expect(parseRequest(method, path)).toBeUndefined();
  });
});

describe('answers', () => {
  it('have a head of 12 bytes', () => {
    const body = encodeAnswer({ offset: 0x0102030405, bytes: Uint8Array.of(0xaa), end: true });
    //                                  P V v flags offset, 8 bytes    the bytes
    expect(body.toString('hex')).toBe('50560101' + '0000000102030405' + 'aa');
    expect(decodeAnswer(body)).toEqual({
      end: true,
      reset: false,
      unknown: false,
      busy: false,
      offset: 0x0102030405,
      bytes: Uint8Array.of(0xaa),
    });
  });

  it.each([
    ['nothing', ''],
    ['a page', Buffer.from('<html>Please log in</html>').toString('hex')],
    ['less than a head', '505601000000000000000'],
    ['another version', '505602000000000000000000'],
    ['unknown flags', '505601100000000000000000'],
    ['an offset beyond 2^53', '505601000020000000000000'],
  ])('that are %s are refused', (_name, hex) => {
    expect(() => decodeAnswer(Buffer.from(hex, 'hex'))).toThrow(expect.objectContaining({ code: 'malformed' }));
  });
});
