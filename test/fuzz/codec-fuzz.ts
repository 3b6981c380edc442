import { PipevineError } from '@pipevine/runtime';
import { type SeededRandom, seededRandom } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { work } from './counted-crypto.ts';
import type { FuzzedCodec } from './fuzzed-codec.ts';
import { bitFlips, hugeCounts, misshapen, randomInputs, truncations } from './hostile-input.ts';

const ALWAYS = ['malformed', 'too-large'];
/** A chain of three credentials, or one with a charter and 16 approvals. */
const MAX_SIGNATURES = 20;

/** Decodes, and lets nothing pass but a value or one of the documented errors. Gives whether there was a value. */
export function accepts({ decode, encode, codes = [] }: FuzzedCodec, bytes: Uint8Array): boolean {
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

/** Undefined when even the honest signer refuses to put it together. */
export function sealedOr(make: () => Uint8Array | undefined): Uint8Array | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof PipevineError) return undefined;
    throw error;
  }
}

/** The tests of one form. */
export function describeCodec(codec: FuzzedCodec): void {
  const { valid, sealed = false, isPlain = false, isOpenEnded = false } = codec;
  const random = seededRandom(codec.name);
  const shaped = (bytes: Uint8Array, count: number) => (isPlain ? [] : misshapen(random, bytes, count));

  describe(codec.name, () => {
    it('comes back as it went', () => {
      for (const bytes of valid) {
        expect(accepts(codec, bytes)).toBe(true);
        if (codec.encode !== undefined) expect(codec.encode(codec.decode(bytes) as never)).toEqual(bytes); // As above.
      }
    });

    it('is refused when it is cut off anywhere, or something follows it', () => {
      for (const bytes of valid) {
        for (const cut of truncations(bytes)) if (accepts(codec, cut)) expect(isOpenEnded).toBe(true);
        if (accepts(codec, Uint8Array.from([...bytes, 0]))) expect(isOpenEnded).toBe(true);
      }
    });

    it('is read or refused with one documented error, whatever comes', () => {
      for (const bytes of randomInputs(random, 300)) accepts(codec, bytes);
      for (const bytes of valid) {
        for (const input of hugeCounts(random, bytes, 100)) accepts(codec, input);
        for (const input of shaped(bytes, 150)) accepts(codec, input);
        for (const input of bitFlips(random, bytes, 600)) {
          const taken = accepts(codec, input);
          if (sealed) expect(taken, 'a bit that nothing protects').toBe(false);
        }
      }
    });

    if (codec.seal === undefined) return;
    it('is read or refused under a valid signature, whatever it says', () => {
      let wellFormed = 0;
      for (const payload of codec.payloads ?? []) {
        for (const input of hostilePayloads(random, payload, codec.hasPlainPayloads ?? false)) {
          const signed = sealedOr(() => codec.seal?.(input));
          if (signed !== undefined && accepts(codec, signed)) wellFormed++;
        }
      }
      expect(wellFormed, 'inputs of which all are refused at once show nothing').toBeGreaterThan(0);
    });
  });
}

function hostilePayloads(random: SeededRandom, payload: Uint8Array, isPlain: boolean): Uint8Array[] {
  const shaped = isPlain ? [...bitFlips(random, payload, 300)] : [...misshapen(random, payload, 300)];
  return [...shaped, ...hugeCounts(random, payload, 30), ...truncations(payload)];
}
