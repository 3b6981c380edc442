import { describe, expect, it } from 'vitest';
import { peerIdFromBytes } from '../id/peer-id.ts';
import { decodeDelegationBody, encodeDelegationBody } from './delegation-body.ts';
import { decodeNameBody, encodeNameBody } from './name-body.ts';
import { decodePeerBody, encodePeerBody } from './peer-body.ts';
import { decodePipeBody, encodePipeBody } from './pipe-body.ts';
import { decodeThingBody, encodeThingBody } from './thing-body.ts';

const peer = peerIdFromBytes(new Uint8Array(32).fill(3));
const malformed = expect.objectContaining({ code: 'malformed' });
const utf8 = new TextEncoder();

describe('bodies of advertisements', () => {
  it('keep what they are given', () => {
    const full = {
      addresses: ['tcp://a:1'],
      roles: ['gateway'],
      profile: 'gateway',
      staticKey: new Uint8Array(32).fill(1),
      credential: new Uint8Array(300).fill(2),
    };
    expect(decodePeerBody(encodePeerBody(full))).toEqual(full);
    const bare = { addresses: [], roles: [], profile: '', staticKey: new Uint8Array(32) };
    expect(decodePeerBody(encodePeerBody(bare))).toEqual(bare);
    const delegation = { delegate: peer, notAfterMs: 1_800_000_000_000 };
    expect(decodeDelegationBody(encodeDelegationBody(delegation))).toEqual(delegation);
    for (const kind of ['unicast', 'reliable', 'secure', 'request'] as const) {
      expect(decodePipeBody(encodePipeBody({ kind }))).toEqual({ kind });
    }
    for (const service of ['', 'web'])
      expect(decodeNameBody(encodeNameBody({ peer, service }))).toEqual({ peer, service });
    const thing = { title: 'Lampe', properties: { on: { type: 'boolean' } } };
    expect(decodeThingBody(encodeThingBody(thing))).toEqual(thing);
  });

  it.each([
    ['peer', decodePeerBody],
    ['delegation', decodeDelegationBody],
    ['pipe', decodePipeBody],
    ['name', decodeNameBody],
    ['thing', decodeThingBody],
  ])('of kind %s are malformed when they are garbage, empty or a map without members', (_, decode) => {
    for (const bytes of [[], [0xff], [0xa0], [0x80], [0x7b]]) {
      if (decode === decodeThingBody && bytes[0] === 0x80) continue;
      expect(() => decode(new Uint8Array(bytes))).toThrow(malformed);
    }
  });

  it('a peer lists 16 addresses at most', () => {
    const many = Array.from({ length: 40 }, (_, i) => `tcp://a:${i}`);
    const body = { addresses: many, roles: [], profile: '', staticKey: new Uint8Array(32) };
    expect(decodePeerBody(encodePeerBody(body)).addresses).toEqual(many.slice(0, 16));
  });

  it('a kind of pipe of a later version is unsupported', () => {
    const unsupported = expect.objectContaining({ code: 'unsupported' });
    expect(() => decodePipeBody(new Uint8Array([0xa1, 1, 9]))).toThrow(unsupported);
  });
});

describe('the body of a thing advertisement', () => {
  it('is refused beyond 48 KiB by whoever writes and whoever reads it', () => {
    const text = 'x'.repeat(48 * 1024);
    expect(() => encodeThingBody({ text })).toThrow(expect.objectContaining({ code: 'too-large' }));
    expect(() => decodeThingBody(utf8.encode(JSON.stringify({ text })))).toThrow(malformed);
  });

  it('is refused when nested deeply, and brackets inside text do not count', () => {
    expect(() => decodeThingBody(utf8.encode('['.repeat(40_000)))).toThrow(malformed);
    expect(() => decodeThingBody(utf8.encode(`${'['.repeat(33)}${']'.repeat(33)}`))).toThrow(malformed);
    const text = { title: `\\"${'[{'.repeat(1_000)}` };
    expect(decodeThingBody(encodeThingBody(text))).toEqual(text);
  });

  it('is refused with a key __proto__, wherever it stands', () => {
    expect(() => decodeThingBody(utf8.encode('{"a":[{"__proto__":{"x":1}}]}'))).toThrow(malformed);
    expect(() => decodeThingBody(utf8.encode('{"__proto__":null}'))).toThrow(malformed);
  });

  it('is refused when it is not UTF-8', () => {
    expect(() => decodeThingBody(new Uint8Array([0x22, 0xc3, 0x28, 0x22]))).toThrow(malformed);
  });
});
