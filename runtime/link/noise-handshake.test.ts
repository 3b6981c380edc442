import { nodeCrypto, seededRandom } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { CipherState } from './cipher-state.ts';
import { Handshake } from './noise-handshake.ts';
import { NOISE_IK, NOISE_XX, type NoisePattern } from './noise-pattern.ts';
import { LINK_PROLOGUE, pipePrologue } from './prologue.ts';
import { openMessage, sealMessage } from './sealed-message.ts';

const text = (value: string) => new TextEncoder().encode(value);
const alice = nodeCrypto.agreementKey(new Uint8Array(32).fill(1));
const bob = nodeCrypto.agreementKey(new Uint8Array(32).fill(2));
const common = { crypto: nodeCrypto, random: seededRandom('noise'), prologue: LINK_PROLOGUE };

function pair(pattern: NoisePattern): [Handshake, Handshake] {
  const known = pattern.knowsResponder ? { remoteStaticKey: bob.publicKey } : {};
  return [
    new Handshake({ ...common, pattern, role: 'initiator', localStatic: alice, ...known }),
    new Handshake({ ...common, pattern, role: 'responder', localStatic: bob }),
  ];
}

/** Runs all messages; `change` may replace one on its way. */
function run([a, b]: [Handshake, Handshake], change: (message: Uint8Array, index: number) => Uint8Array = (m) => m) {
  for (let i = 0; !a.finished; i++) {
    const [from, to] = i % 2 === 0 ? [a, b] : [b, a];
    expect(to.readMessage(change(from.writeMessage(text(`payload ${i}`)), i))).toEqual(text(`payload ${i}`));
  }
}

const forged = expect.objectContaining({ code: 'forged' });

describe.each([NOISE_XX, NOISE_IK])('pattern $name', (pattern) => {
  it('gives both sides the same keys, the same hash and each other’s static key', () => {
    const [a, b] = pair(pattern);
    run([a, b]);
    expect(a.handshakeHash).toEqual(b.handshakeHash);
    expect(a.remoteStaticKey).toEqual(bob.publicKey);
    expect(b.remoteStaticKey).toEqual(alice.publicKey);
    const [atA, atB] = [a.split(), b.split()];
    for (let i = 0; i < 3; i++) {
      expect(atB.receive.open(atA.send.seal(text(`to b ${i}`)))).toEqual(text(`to b ${i}`));
      expect(atA.receive.open(atB.send.seal(text(`to a ${i}`)))).toEqual(text(`to a ${i}`));
    }
  });

  it('refuses each message with any bit changed, and still takes the right one afterwards', () => {
    const [a, b] = pair(pattern);
    run([a, b], (message, index) => {
      const to = index % 2 === 0 ? b : a;
      for (let at = 0; at < message.length; at += 5) {
        const changed = message.slice();
        changed[at] = (changed[at] ?? 0) ^ 0x40;
        // The first message of XX is in the clear: what is changed in it shows in the second.
        if (pattern === NOISE_XX && index === 0) continue;
        expect(() => to.readMessage(changed)).toThrowError(forged);
      }
      if (message.length > 96) expect(() => to.readMessage(message.subarray(0, 20))).toThrowError();
      return message;
    });
    expect(a.handshakeHash).toEqual(b.handshakeHash);
  });

  it('does not finish between two prologues', () => {
    const [a] = pair(pattern);
    const b = new Handshake({
      ...common,
      pattern,
      role: 'responder',
      localStatic: bob,
      prologue: pipePrologue(text('x')),
    });
    expect(() => run([a, b])).toThrowError(forged);
  });

  it('takes no step out of turn', () => {
    const [a, b] = pair(pattern);
    const misuse = expect.objectContaining({ code: 'invalid-argument' });
    expect(() => b.writeMessage(text(''))).toThrowError(misuse);
    expect(() => a.split()).toThrowError(misuse);
    const first = a.writeMessage(text(''));
    expect(() => a.writeMessage(text(''))).toThrowError(misuse);
    b.readMessage(first);
    expect(() => b.readMessage(first)).toThrowError(misuse);
  });
});

it('refuses a key of small order', () => {
  const [, b] = pair(NOISE_IK);
  expect(() => b.readMessage(new Uint8Array(200))).toThrowError(forged);
});

it('needs the responder’s key for IK', () => {
  const init = { ...common, pattern: NOISE_IK, role: 'initiator', localStatic: alice } as const;
  expect(() => new Handshake(init)).toThrowError(expect.objectContaining({ code: 'invalid-argument' }));
});

describe('a sealed message', () => {
  const sealed = sealMessage({ ...common, localStatic: alice, remoteStaticKey: bob.publicKey }, text('later'));

  it('is opened by its receiver, who learns the sender’s key', () => {
    const opened = openMessage({ ...common, localStatic: bob }, sealed);
    expect(opened).toEqual({ plaintext: text('later'), remoteStaticKey: alice.publicKey });
  });

  it('is opened by nobody else, in no other context, and not when it was changed', () => {
    expect(() => openMessage({ ...common, localStatic: alice }, sealed)).toThrowError(forged);
    expect(() => openMessage({ ...common, localStatic: bob, prologue: text('other') }, sealed)).toThrowError(forged);
    const changed = sealed.slice();
    changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
    expect(() => openMessage({ ...common, localStatic: bob }, changed)).toThrowError(forged);
  });
});

describe('a cipher', () => {
  it('uses the nonce of section 5.1: 4 zero bytes and a little-endian counter, beyond 32 bits too', () => {
    const key = new Uint8Array(32).fill(9);
    const counter = 2 ** 40 + 3;
    const nonce = Uint8Array.from([0, 0, 0, 0, 3, 0, 0, 0, 0, 1, 0, 0]);
    const sealed = new CipherState(nodeCrypto, key).sealAt(counter, text('x'));
    expect(nodeCrypto.aeadKey(key).open(nonce, sealed)).toEqual(text('x'));
  });

  it('rekeys by the first 32 bytes of 32 zeros sealed under the last nonce', () => {
    const key = new Uint8Array(32).fill(9);
    const last = Uint8Array.from([0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
    const next = nodeCrypto.aeadKey(key).seal(last, new Uint8Array(32)).slice(0, 32);
    const cipher = new CipherState(nodeCrypto, key);
    cipher.seal(text('one'));
    cipher.rekey();
    // The counter goes on.
    expect(new CipherState(nodeCrypto, next).openAt(1, cipher.seal(text('two')))).toEqual(text('two'));
  });

  it('uses up no number for bytes that do not authenticate', () => {
    const key = new Uint8Array(32).fill(9);
    const [from, to] = [new CipherState(nodeCrypto, key), new CipherState(nodeCrypto, key)];
    const sealed = from.seal(text('x'));
    expect(to.open(new Uint8Array(20))).toBeUndefined();
    expect(to.open(sealed)).toEqual(text('x'));
    expect(to.open(sealed)).toBeUndefined();
  });

  it('stops before its counter would repeat', () => {
    const cipher = new CipherState(nodeCrypto, new Uint8Array(32));
    expect(() => cipher.sealAt(Number.MAX_SAFE_INTEGER, text('x'))).toThrowError(
      expect.objectContaining({ code: 'internal' }),
    );
  });
});
