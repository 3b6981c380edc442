import { readFileSync } from 'node:fs';
import { decode, decodeFirst } from 'cborg';
import { expect, test } from 'vitest';
import { Cddl } from '../../test/vectors/cddl.ts';
import { packedMessage } from './message-pack.ts';
import { encodeRequestMessage, type RequestMessage } from './request-codec.ts';
import { encodeStreamMessage, type StreamMessage } from './stream-codec.ts';

const cddl = new Cddl(readFileSync(new URL('../../docs/protocol/pipe.cddl', import.meta.url), 'utf8'));
/** An independent decoder, so that what is written here is CBOR for others too. */
const independently = (bytes: Uint8Array) => decode(bytes, { useMaps: true, strict: true });

test.each<[string, RequestMessage]>([
  ['request', { type: 0, id: 1, body: new Uint8Array(3) }],
  ['reply', { type: 1, id: 2 ** 40, body: new Uint8Array(0) }],
  ['item', { type: 2, id: 3, body: new Uint8Array(70_000) }],
  ['end', { type: 3, id: 4 }],
  ['failure', { type: 4, id: 5, code: 'not-found', message: 'ä'.repeat(5_000) }],
  ['cancel', { type: 5, id: Number.MAX_SAFE_INTEGER }],
])('the CDDL describes %s', (rule, message) => {
  const value = independently(encodeRequestMessage(message));
  expect(cddl.matches(rule, value)).toBe(true);
  expect(cddl.matches('request-message', value)).toBe(true);
  expect(cddl.matches(rule === 'request' ? 'reply' : 'request', value)).toBe(false);
});

test.each<[string, StreamMessage]>([
  ['stream-chunk', { type: 'chunk', bytes: new Uint8Array(65_000) }],
  ['stream-end', { type: 'end', totalBytes: 2 ** 40 }],
  ['stream-failure', { type: 'failure', code: 'aborted', message: 'ä'.repeat(5_000) }],
])('the CDDL describes %s', (rule, message) => {
  const value = independently(encodeStreamMessage(message));
  expect(cddl.matches(rule, value)).toBe(true);
  expect(cddl.matches('stream-message', value)).toBe(true);
  expect(cddl.matches(rule === 'stream-end' ? 'stream-chunk' : 'stream-end', value)).toBe(false);
});

test('packed messages are byte strings one after the other', () => {
  const [first, rest] = decodeFirst(
    new Uint8Array([...packedMessage(new Uint8Array(300)), ...packedMessage(new Uint8Array(2))]),
  );
  expect(cddl.matches('packed-message', first)).toBe(true);
  expect(independently(rest)).toEqual(new Uint8Array(2));
});
