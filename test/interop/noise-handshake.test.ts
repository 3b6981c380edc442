import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Handshake, LINK_PROLOGUE, NOISE_IK, NOISE_X, NOISE_XX, type NoisePattern } from '@pipevine/runtime/protocol';
import { nodeCrypto, nodeRandom } from '@pipevine/transports';
import { beforeAll, describe, expect, it } from 'vitest';

/** What is used here of noise-c.wasm: the reference implementation in C by R. Weatherley, as WebAssembly. */
interface NoiseC {
  readonly constants: Readonly<Record<'NOISE_ROLE_INITIATOR' | 'NOISE_ROLE_RESPONDER', number>>;
  readonly HandshakeState: new (protocol: string, role: number) => NoiseCHandshake;
}
interface NoiseCHandshake {
  Initialize(prologue: Uint8Array, s: Uint8Array | null, rs: Uint8Array | null): void;
  WriteMessage(payload?: Uint8Array): Uint8Array;
  ReadMessage(message: Uint8Array, payloadNeeded: boolean): Uint8Array;
  GetHandshakeHash(): Uint8Array;
  GetRemotePublicKey(): Uint8Array;
  Split(): [send: NoiseCCipher, receive: NoiseCCipher];
}
interface NoiseCCipher {
  EncryptWithAd(ad: Uint8Array, plaintext: Uint8Array): Uint8Array;
  DecryptWithAd(ad: Uint8Array, ciphertext: Uint8Array): Uint8Array;
}

// The package has no types; its name ends like a WebAssembly file, which an import would take for one.
const require = createRequire(import.meta.url);
const createNoise = require('noise-c.wasm') as (options: object, ready: (noise: NoiseC) => void) => void;

const NONE = new Uint8Array(0);
const text = (value: string) => new TextEncoder().encode(value);
const ourSeed = new Uint8Array(32).fill(0x11);
const theirSeed = new Uint8Array(32).fill(0x22);
const ours = nodeCrypto.agreementKey(ourSeed);
const theirs = nodeCrypto.agreementKey(theirSeed);

let noise: NoiseC;
beforeAll(async () => {
  // Given as bytes: left to itself the package first tries to fetch its file, and complains.
  const wasmBinary = readFileSync(join(dirname(require.resolve('noise-c.wasm')), 'noise-c.wasm'));
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const before = events.map((event) => process.rawListeners(event));
  noise = await new Promise((resolve) => createNoise({ wasmBinary }, resolve));
  // It also listens to what is the test runner's business.
  for (const [index, event] of events.entries()) {
    for (const listener of process.rawListeners(event)) {
      if (!before[index]?.includes(listener)) process.off(event, listener as () => void);
    }
  }
});

/** Our side as `role`, the other implementation as its opposite. */
function pair(pattern: NoisePattern, role: 'initiator' | 'responder', prologue = LINK_PROLOGUE) {
  const initiates = role === 'initiator';
  const our = new Handshake({
    pattern,
    role,
    crypto: nodeCrypto,
    random: nodeRandom,
    prologue: LINK_PROLOGUE,
    localStatic: ours,
    ...(pattern.knowsResponder && initiates ? { remoteStaticKey: theirs.publicKey } : {}),
  });
  const their = new noise.HandshakeState(
    `Noise_${pattern.name}_25519_ChaChaPoly_SHA256`,
    initiates ? noise.constants.NOISE_ROLE_RESPONDER : noise.constants.NOISE_ROLE_INITIATOR,
  );
  their.Initialize(prologue, theirSeed, pattern.knowsResponder && !initiates ? ours.publicKey : null);
  return { our, their };
}

describe.each([NOISE_XX, NOISE_IK, NOISE_X])('Noise_$name_25519_ChaChaPoly_SHA256 with noise-c', (pattern) => {
  it.each(['initiator', 'responder'] as const)('agrees as %s on payloads, keys, hash and transport', (role) => {
    const { our, their } = pair(pattern, role);
    pattern.messages.forEach((_, index) => {
      const payload = text(`payload ${index}`);
      const weWrite = (index % 2 === 0) === (role === 'initiator');
      const read = weWrite
        ? their.ReadMessage(our.writeMessage(payload), true)
        : our.readMessage(their.WriteMessage(payload));
      expect(Uint8Array.from(read)).toEqual(payload);
    });
    expect(our.finished).toBe(true);
    expect(our.handshakeHash).toEqual(Uint8Array.from(their.GetHandshakeHash()));
    if (pattern.name !== 'X' || role === 'responder') expect(our.remoteStaticKey).toEqual(theirs.publicKey);
    if (pattern.name !== 'X' || role === 'initiator') {
      expect(Uint8Array.from(their.GetRemotePublicKey())).toEqual(ours.publicKey);
    }

    const { send, receive } = our.split();
    const [theirSend, theirReceive] = their.Split();
    for (let i = 0; i < 3; i++) {
      const message = text(`message ${i}`);
      if (pattern.name !== 'X' || role === 'initiator') {
        expect(Uint8Array.from(theirReceive.DecryptWithAd(NONE, send.seal(message)))).toEqual(message);
      }
      if (pattern.name !== 'X' || role === 'responder') {
        expect(receive.open(Uint8Array.from(theirSend.EncryptWithAd(NONE, message)))).toEqual(message);
      }
    }
  });
});

it('does not agree with a peer of another prologue', () => {
  const { our, their } = pair(NOISE_XX, 'initiator', text('pipevine/2'));
  their.ReadMessage(our.writeMessage(NONE), false);
  const answer = their.WriteMessage(NONE);
  expect(() => our.readMessage(answer)).toThrowError(expect.objectContaining({ code: 'forged' }));
});
