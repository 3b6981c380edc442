import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from './hex.ts';
import { StrangerHandshake, strangerDecode } from './stranger.ts';
import { readVectorFile } from './vector-file.ts';

interface Handshake {
  readonly dialler: { readonly seed: string; readonly ephemeral: string };
  readonly messages: readonly string[];
  readonly records: readonly {
    readonly from: string;
    readonly plaintext: string;
    readonly sealed: string;
    readonly afterRekey?: true;
  }[];
}

const caseOf = (file: string, name: string) => readVectorFile(file)?.cases.find((one) => one.name === name);
const { dialler, messages, records } = caseOf('link-handshake', 'XX') as unknown as Handshake; // As the file is written.
const bob = caseOf('ids', 'Bob');

function shakeHands(second = messages[1]) {
  const handshake = new StrangerHandshake(fromHex(dialler.seed), fromHex(dialler.ephemeral));
  const first = handshake.first();
  handshake.second(fromHex(second));
  const third = handshake.third();
  return { said: [toHex(first), toHex(third)], handshake };
}

describe('a peer that was written from the documents alone', () => {
  it('imports nothing of this implementation', () => {
    const source = readFileSync(new URL('stranger.ts', import.meta.url), 'utf8');
    expect([...source.matchAll(/from '([^']+)'/g)].map(([, from]) => from)).toEqual(['node:crypto']);
  });

  it('says what the dialler of the handshake vector says, and knows who answers', () => {
    const { said, handshake } = shakeHands();
    expect(said).toEqual([messages[0], messages[2]]);
    expect(toHex(handshake.remotePeer)).toBe(bob?.publicKey);
  });

  it('refuses an answer of which any part was changed', () => {
    for (const at of [0, 40, 100, (messages[1] ?? '').length / 2 - 1]) {
      const changed = fromHex(messages[1]);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => shakeHands(toHex(changed)), `byte ${at}`).toThrow();
    }
  });

  it('seals and opens records, across a change of the key, and reads the BIND in one', () => {
    const [sending, receiving] = shakeHands().handshake.records();
    let last: Buffer = Buffer.alloc(0);
    for (const { from, plaintext, sealed, afterRekey } of records) {
      if (from === 'responder') {
        last = receiving.open(fromHex(sealed));
        expect(toHex(last)).toBe(plaintext);
      } else {
        if (afterRekey) sending.rekey();
        expect(toHex(sending.seal(fromHex(plaintext)))).toBe(sealed);
      }
    }
    const [type, channel, parameters] = strangerDecode(last).value as [number, number, Map<number, unknown>];
    expect([type, channel]).toEqual([3, 7]);
    expect([...parameters.keys()]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect([5, 6, 7, 8, 9].map((key) => parameters.get(key))).toEqual(['thing', 2, 1, 0, 262_144]);
    expect(parameters.get(2)).toEqual(Buffer.alloc(32, 2));
  });
});
