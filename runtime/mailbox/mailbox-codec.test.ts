import { readFileSync } from 'node:fs';
import { nodeCrypto } from '@pipevine/transports';
import { decode } from 'cborg';
import { describe, expect, it } from 'vitest';
import { Cddl } from '../../test/vectors/cddl.ts';
import { peerIdFromBytes } from '../id/peer-id.ts';
import {
  type DeliverStatus,
  decodeDeliverAnswer,
  decodeDeliverRequest,
  decodeMailboxRequest,
  decodePutAnswer,
  decodeTakeItem,
  encodeDeliverAnswer,
  encodeDeliverRequest,
  encodeMailboxRequest,
  encodePutAnswer,
  encodeTakeItem,
  type MailboxRequest,
  type PutStatus,
  type TakeItem,
} from './mailbox-codec.ts';

const cddl = new Cddl(readFileSync(new URL('../../docs/protocol/mailbox.cddl', import.meta.url), 'utf8'));
/** An independent decoder, so that what is written here is CBOR for others too. */
const independently = (bytes: Uint8Array) => decode(bytes, { useMaps: true, strict: true });
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const peer = peerIdFromBytes(nodeCrypto.signingKey(new Uint8Array(32).fill(1)).publicKey);
const id = new Uint8Array(16).fill(2);
const sealed = new Uint8Array(65_535).fill(3);

const requests: [string, MailboxRequest][] = [
  ['put', { type: 'put', messages: [{ recipient: peer, id, sealed, lifetimeMs: 1, wantsReceipt: true }] }],
  ['take', { type: 'take', after: undefined, watch: false }],
  ['take', { type: 'take', after: 2 ** 40, watch: true }],
  ['done', { type: 'done', taken: [{ sender: peer, id, receipt: undefined }] }],
  ['done', { type: 'done', taken: [{ sender: peer, id, receipt: new Uint8Array(300) }] }],
];

describe('requests', () => {
  it.each(requests)('%s comes back as it was, and the CDDL describes it', (rule, request) => {
    const bytes = encodeMailboxRequest(request);
    expect(decodeMailboxRequest(bytes)).toEqual(request);
    expect(cddl.matches(rule, independently(bytes))).toBe(true);
    expect(cddl.matches('mailbox-request', independently(bytes))).toBe(true);
    for (const other of ['put', 'take', 'done']) {
      if (other !== rule) expect(cddl.matches(other, independently(bytes))).toBe(false);
    }
  });

  it('takes are these bytes', () => {
    // {1: 1, 3: 5, 4: true}
    expect(hex(encodeMailboxRequest({ type: 'take', after: 5, watch: true }))).toBe('a30101030504f5');
    // {1: 1}
    expect(hex(encodeMailboxRequest({ type: 'take', after: undefined, watch: false }))).toBe('a10101');
  });

  it('says malformed to every request that is cut short', () => {
    for (const [, request] of requests.slice(1)) {
      const bytes = encodeMailboxRequest(request);
      for (let length = 0; length < bytes.length; length++) {
        expect(() => decodeMailboxRequest(bytes.subarray(0, length))).toThrow(
          expect.objectContaining({ code: 'malformed' }),
        );
      }
    }
  });

  it('takes at most 64 messages, each of 65,535 bytes, and none without an id of 16', () => {
    const message = { recipient: peer, id, sealed: new Uint8Array(1), lifetimeMs: 1, wantsReceipt: false };
    const malformed = expect.objectContaining({ code: 'malformed' });
    const put =
      (...messages: (typeof message)[]) =>
      () =>
        decodeMailboxRequest(encodeMailboxRequest({ type: 'put', messages }));
    expect(put(...Array<typeof message>(64).fill(message))).not.toThrow();
    expect(put(...Array<typeof message>(65).fill(message))).toThrow(malformed);
    expect(put({ ...message, sealed: new Uint8Array(65_536) })).toThrow(malformed);
    expect(put({ ...message, id: new Uint8Array(15) })).toThrow(malformed);
    expect(put({ ...message, lifetimeMs: 0 })).toThrow(malformed);
    expect(put({ ...message, lifetimeMs: 91 * 86_400_000 })).toThrow(malformed);
  });
});

describe('answers', () => {
  it('to a put come back as they were', () => {
    const statuses: PutStatus[] = [
      { type: 'stored' },
      { type: 'held' },
      { type: 'refused', reason: 'pair-bytes', limit: 4_194_304 },
    ];
    const bytes = encodePutAnswer(statuses);
    expect(decodePutAnswer(bytes, 3)).toEqual(statuses);
    expect(cddl.matches('put-answer', independently(bytes))).toBe(true);
    expect(() => decodePutAnswer(bytes, 2)).toThrow(expect.objectContaining({ code: 'malformed' }));
  });

  it.each<[string, TakeItem]>([
    ['waiting', { type: 'waiting', messages: 3 }],
    ['message', { type: 'message', position: 7, sender: peer, id, sealed, wantsReceipt: true }],
  ])('to a take: %s comes back as it was', (rule, item) => {
    const bytes = encodeTakeItem(item);
    expect(decodeTakeItem(bytes)).toEqual(item);
    expect(cddl.matches(rule, independently(bytes))).toBe(true);
    expect(cddl.matches('take-item', independently(bytes))).toBe(true);
  });

  it('leave out an item of a later version', () => {
    expect(decodeTakeItem(Uint8Array.of(0x82, 5, 0))).toBeUndefined();
  });

  it('to a delivery come back as they were', () => {
    const request = encodeDeliverRequest([{ id, sealed }]);
    expect(decodeDeliverRequest(request)).toEqual([{ id, sealed }]);
    expect(cddl.matches('deliver', independently(request))).toBe(true);
    const statuses: DeliverStatus[] = [
      { type: 'taken', code: '', message: '' },
      { type: 'kept', code: 'busy', message: 'Not now.' },
      { type: 'refused', code: 'forged', message: 'Never.' },
    ];
    const answer = encodeDeliverAnswer(statuses);
    expect(decodeDeliverAnswer(answer, 3)).toEqual(statuses);
    expect(cddl.matches('deliver-answer', independently(answer))).toBe(true);
  });
});
