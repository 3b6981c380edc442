import { PipevineError } from '@pipevine/runtime';
import { seededRandom } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { approvedByAll, approvedPayload, CODECS, type FuzzedCodec, work } from './control-plane-codecs.ts';
import { bitFlips, hugeCounts, misshapen, randomInputs, truncations } from './hostile-input.ts';

const ALWAYS = ['malformed', 'too-large'];
/** A chain of three credentials, or one with a charter and 16 approvals. */
const MAX_SIGNATURES = 20;
const random = seededRandom('control plane fuzz');

/** Decodes, and lets nothing pass but a value or one of the documented errors. Gives whether there was a value. */
function accepts({ decode, encode, codes = [] }: FuzzedCodec, bytes: Uint8Array): boolean {
  work.take();
  let value: unknown;
  try {
    value = decode(bytes);
  } catch (error) {
    if (error instanceof PipevineError && (ALWAYS.includes(error.code) || codes.includes(error.code))) return false;
    throw new Error(`${Buffer.from(bytes).toString('hex').slice(0, 400)} led to ${String(error)}`, { cause: error });
  } finally {
    expect(work.take()).toBeLessThanOrEqual(MAX_SIGNATURES);
  }
  // What is taken means the same when it is passed on.
  if (encode !== undefined) expect(decode(encode(value as never))).toEqual(value); // What this very codec gave.
  return true;
}

describe.each(CODECS)('$name', (codec) => {
  const { valid, sealed = false } = codec;

  it('comes back as it went', () => {
    for (const bytes of valid) {
      expect(accepts(codec, bytes)).toBe(true);
      if (codec.encode !== undefined) expect(codec.encode(codec.decode(bytes) as never)).toEqual(bytes); // As above.
    }
  });

  it('is refused when it is cut off anywhere, or something follows it', () => {
    for (const bytes of valid) {
      for (const cut of truncations(bytes)) expect(accepts(codec, cut)).toBe(false);
      expect(accepts(codec, Uint8Array.from([...bytes, 0]))).toBe(false);
    }
  });

  it('is read or refused with one documented error, whatever comes', () => {
    for (const bytes of randomInputs(random, 300)) accepts(codec, bytes);
    for (const bytes of valid) {
      for (const input of hugeCounts(random, bytes, 100)) accepts(codec, input);
      for (const input of misshapen(random, bytes, 150)) accepts(codec, input);
      for (const input of bitFlips(random, bytes, 600)) {
        const taken = accepts(codec, input);
        if (sealed) expect(taken, 'a bit that nothing protects').toBe(false);
      }
    }
  });
});

describe.each(CODECS.filter(({ seal }) => seal !== undefined))('$name, under a valid signature', (codec) => {
  it('is read or refused with one documented error, whatever it says', () => {
    let wellFormed = 0;
    for (const payload of codec.payloads ?? []) {
      const inputs = [...misshapen(random, payload, 300), ...hugeCounts(random, payload, 30), ...truncations(payload)];
      for (const input of inputs) {
        const signed = sealedOr(() => codec.seal?.(input));
        if (signed !== undefined && accepts(codec, signed)) wellFormed++;
      }
    }
    expect(wellFormed, 'inputs of which all are refused at once show nothing').toBeGreaterThan(0);
  });
});

describe('what a whole quorum has signed', () => {
  it('is a credential or refused with one documented error, whatever it says', () => {
    const codec = CODECS.find(({ name }) => name === 'a credential') ?? expect.fail();
    expect(accepts(codec, approvedByAll(approvedPayload))).toBe(true);
    for (const payload of misshapen(random, approvedPayload, 400)) {
      const signed = sealedOr(() => approvedByAll(payload));
      if (signed !== undefined) accepts(codec, signed);
    }
  });
});

/** Undefined when even the honest signer refuses to put it together. */
function sealedOr(make: () => Uint8Array | undefined): Uint8Array | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof PipevineError) return undefined;
    throw error;
  }
}
