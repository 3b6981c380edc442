import { readFileSync } from 'node:fs';
import { decode } from 'cborg';
import { describe, expect, test } from 'vitest';
import { Cddl } from '../../test/vectors/cddl.ts';
import type { PipevineError } from '../error/pipevine-error.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { decodeProbe, encodeProbe, PROBE_BYTES } from './probe-packet.ts';
import {
  checkObserveRequest,
  decodeObserveAnswer,
  decodeOffer,
  encodeObserved,
  encodeOffer,
  encodeTicket,
  OBSERVE_REQUEST,
} from './punch-codec.ts';

const cddl = new Cddl(readFileSync(new URL('../../docs/protocol/punch.cddl', import.meta.url), 'utf8'));
/** An independent decoder, so that what is written here is CBOR for others too. */
const independently = (bytes: Uint8Array) => decode(bytes, { useMaps: true, strict: true });
const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

const token = new Uint8Array(16).fill(7);
const OFFER = {
  token,
  candidates: ['udp://203.0.113.1:4001', 'udp://[2001:db8::1]:4001'],
  mapping: 'dependent',
} as const;

function codeOf(decoding: () => unknown): string {
  try {
    decoding();
    return 'none';
  } catch (error) {
    return (error as PipevineError).code; // Whatever else it is has no code, and no test expects undefined.
  }
}

test.each<[string, Uint8Array]>([
  ['observe', OBSERVE_REQUEST],
  ['ticket', encodeTicket(token, ['udp://203.0.113.1:4001'])],
  ['observed', encodeObserved('udp://203.0.113.1:4001')],
  ['offer', encodeOffer(OFFER)],
  ['offer', encodeOffer({ token, candidates: [], mapping: 'unknown' })],
])('the CDDL describes %s', (rule, encoded) => {
  const value = independently(encoded);
  expect(cddl.matches(rule, value)).toBe(true);
  expect(cddl.matches(rule === 'observe' ? 'offer' : 'observe', value)).toBe(false);
});

test('bytes of the packets and messages', () => {
  expect(hex(encodeProbe(token))).toBe('0507070707070707070707070707070707');
  expect(hex(OBSERVE_REQUEST)).toBe('a10100');
  expect(hex(encodeOffer({ token, candidates: ['udp://1.2.3.4:5'], mapping: 'independent' }))).toBe(
    'a30250070707070707070707070707070707070381' + '6f7564703a2f2f312e322e332e343a35' + '0501',
  );
});

describe('what was written is read', () => {
  test('offers and answers', () => {
    expect(decodeOffer(encodeOffer(OFFER))).toEqual(OFFER);
    expect(decodeObserveAnswer(encodeTicket(token, OFFER.candidates))).toEqual({
      type: 'ticket',
      token,
      addresses: OFFER.candidates,
    });
    expect(decodeObserveAnswer(encodeObserved('udp://1.2.3.4:5'))).toEqual({
      type: 'observed',
      address: 'udp://1.2.3.4:5',
    });
    expect(codeOf(() => checkObserveRequest(OBSERVE_REQUEST))).toBe('none');
    expect(decodeProbe(encodeProbe(token))).toEqual(token);
  });

  test('a mapping of a later version is unknown here', () => {
    const later = encodeCanonical(
      new Map<number, Uint8Array | string[] | number>([
        [2, token],
        [3, []],
        [5, 9],
      ]),
    );
    expect(decodeOffer(later).mapping).toBe('unknown');
  });
});

test('what is cut short or not ours is refused', () => {
  const whole = encodeOffer(OFFER);
  for (let length = 0; length < whole.length; length++) {
    expect(codeOf(() => decodeOffer(whole.subarray(0, length)))).toBe('malformed');
  }
  const many = Array.from({ length: 17 }, (_, i) => `udp://203.0.113.1:${i + 1}`);
  expect(codeOf(() => decodeOffer(encodeOffer({ ...OFFER, candidates: many })))).toBe('malformed');
  expect(codeOf(() => decodeOffer(encodeOffer({ ...OFFER, token: new Uint8Array(15) })))).toBe('malformed');
  expect(codeOf(() => decodeOffer(encodeOffer({ ...OFFER, candidates: ['x'.repeat(97)] })))).toBe('malformed');
  expect(codeOf(() => decodeOffer(new Uint8Array(4_096)))).toBe('too-large');
  expect(codeOf(() => checkObserveRequest(encodeCanonical(new Map([[1, 1]]))))).toBe('unsupported');
  for (const bytes of [0, 1, PROBE_BYTES - 1, PROBE_BYTES + 1])
    expect(decodeProbe(new Uint8Array(bytes).fill(5))).toBeUndefined();
  expect(decodeProbe(new Uint8Array(PROBE_BYTES).fill(1))).toBeUndefined();
});
