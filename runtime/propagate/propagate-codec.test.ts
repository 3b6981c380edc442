import { readFileSync } from 'node:fs';
import { nodeCrypto, seededRandom } from '@pipevine/transports';
import { decode } from 'cborg';
import { describe, expect, it } from 'vitest';
import { Cddl } from '../../test/vectors/cddl.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { encodeEpochContent, MAX_EPOCH_LISTS, readEpochContent } from '../group/epoch-content.ts';
import { identityFromSeed } from '../id/identity.ts';
import { sealMessage } from '../link/sealed-message.ts';
import {
  type Content,
  decodeContent,
  decodeEnvelope,
  decodeEpochAnswer,
  decodeEpochRequest,
  encodeContent,
  encodeEnvelope,
  encodeEpochAnswer,
  encodeEpochRequest,
} from './propagate-codec.ts';
import { FRAGMENT_BYTES, MAX_FRAGMENTS } from './propagate-defaults.ts';

const cddl = new Cddl(readFileSync(new URL('../../docs/protocol/propagate.cddl', import.meta.url), 'utf8'));
const random = seededRandom('propagate codec');
const { id, agreement } = identityFromSeed(nodeCrypto, random.bytes(32));

/** An independent decoder, so that what is written here is CBOR for others too. */
const independently = (bytes: Uint8Array): unknown => decode(bytes, { useMaps: true, strict: true });

const prologue = new Uint8Array(0);
const sealing = { crypto: nodeCrypto, random, localStatic: agreement, remoteStaticKey: agreement.publicKey, prologue };
const fragment = { message: random.bytes(8), index: 1, count: MAX_FRAGMENTS };
const contents: Content[] = [
  { name: 'news', bytes: random.bytes(3) },
  { name: 'n'.repeat(128), bytes: random.bytes(FRAGMENT_BYTES), fragment },
];
const after = new Map([[id, 7]]);
const examples = {
  envelope: encodeEnvelope({ number: 3, keyId: random.bytes(8), nonce: random.bytes(12), sealed: random.bytes(40) }),
  epoch: encodeEpochContent({ number: 1, keyHash: random.bytes(32), fromMs: 5, after }),
  'epoch-request': encodeEpochRequest({
    staticKey: agreement.publicKey,
    wanted: { number: 2, issuer: id },
    holdersOnly: true,
  }),
  'epoch-answer': encodeEpochAnswer({
    statement: random.bytes(9),
    sealedKey: sealMessage(sealing, random.bytes(32)),
  }),
};

describe('propagate.cddl', () => {
  it.each(Object.entries(examples))('describes %s as it is written', (name, bytes) => {
    expect(cddl.matches(name, independently(bytes))).toBe(true);
  });

  it('describes contents, whole and in fragments, and requests with the least', () => {
    for (const content of contents) {
      expect(cddl.matches('content', independently(encodeContent(content)))).toBe(true);
      expect(decodeContent(encodeContent(content))).toEqual(content);
    }
    const least = encodeEpochRequest({ staticKey: agreement.publicKey, holdersOnly: false });
    expect(cddl.matches('epoch-request', independently(least))).toBe(true);
    expect(decodeEpochRequest(least)).toEqual({ staticKey: agreement.publicKey, holdersOnly: false });
  });
});

describe('what others send', () => {
  const decoders: readonly (readonly [(bytes: Uint8Array) => unknown, Uint8Array])[] = [
    [decodeEnvelope, examples.envelope],
    [readEpochContent, examples.epoch],
    [decodeEpochRequest, examples['epoch-request']],
    [decodeEpochAnswer, examples['epoch-answer']],
    ...contents.map((content) => [decodeContent, encodeContent(content).subarray(0, 300)] as const),
  ];

  it('is refused by one kind of error, whatever is cut off or changed', () => {
    let refused = 0;
    for (const [read, whole] of decoders) {
      for (let at = 0; at < whole.length; at++) {
        const changed = whole.slice();
        changed[at] = (changed[at] ?? 0) ^ (1 + random.bytes(1).reduce((_, byte) => byte % 255, 0));
        for (const bytes of [whole.subarray(0, at), changed]) {
          try {
            read(bytes);
          } catch (error) {
            refused++;
            expect(error).toBeInstanceOf(PipevineError);
          }
        }
      }
    }
    expect(refused).toBeGreaterThan(300);
  });

  it('has its bounds: fragments of one size, no name and no list too long', () => {
    const short = { name: 'news', bytes: random.bytes(FRAGMENT_BYTES - 1) };
    expect(() => decodeContent(encodeContent({ ...short, fragment }))).toThrow('all fragments but the last');
    const last = { ...short, fragment: { ...fragment, index: MAX_FRAGMENTS - 1 } };
    expect(decodeContent(encodeContent(last))).toEqual(last);
    const beyond = { ...short, fragment: { ...fragment, index: MAX_FRAGMENTS } };
    expect(() => decodeContent(encodeContent(beyond))).toThrow('index');
    expect(() => decodeContent(encodeContent({ ...short, name: 'n'.repeat(129) }))).toThrow('name');
    const many = Array.from({ length: MAX_EPOCH_LISTS + 1 }, (_, i) => {
      const seed = new Uint8Array(32).fill(i + 1);
      return [identityFromSeed(nodeCrypto, seed).id, i] as const;
    });
    const content = { number: 1, keyHash: random.bytes(32), fromMs: 5, after: new Map(many) };
    expect(() => encodeEpochContent(content)).toThrow(`${MAX_EPOCH_LISTS}`);
  });
});
