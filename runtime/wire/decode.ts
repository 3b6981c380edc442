import { Decoder } from 'cbor-x/decode-no-eval';
import { PipevineError } from '../error/pipevine-error.ts';
import { type CborKey, CborTag, type CborValue } from './cbor-value.ts';
import { type ScanResult, type StrictLimits, scanItem } from './strict-scan.ts';
import { MAX_ITEM_BYTES } from './wire-defaults.ts';

export interface DecodeOptions extends StrictLimits {
  /** Largest input; MAX_ITEM_BYTES by default. */
  readonly maxBytes?: number;
}

// Byte strings are copied, so that a 32-byte key that is kept does not keep its whole record alive.
const decoder = new Decoder({ mapsAsObjects: false, useRecords: false, copyBuffers: true });

/**
 * Decodes exactly one CBOR item of the strict subset (see strict-scan.ts) that fills `bytes`. Throws `too-large` when
 * there are more than `maxBytes`, `malformed` for everything else.
 */
export function decodeStrict(bytes: Uint8Array, options?: DecodeOptions): CborValue {
  const maxBytes = options?.maxBytes ?? MAX_ITEM_BYTES;
  if (bytes.length > maxBytes) {
    throw new PipevineError('too-large', `A CBOR item of ${bytes.length} bytes came; at most ${maxBytes} are taken.`);
  }
  const scan = scanItem(bytes, 0, bytes.length, options);
  if (scan.end !== bytes.length) {
    throw new PipevineError('malformed', `${bytes.length - scan.end} bytes follow the CBOR item; none were expected.`);
  }
  return decodeScanned(bytes, 0, scan);
}

/** Decodes the item at `start` that `scan` has approved. */
export function decodeScanned(bytes: Uint8Array, start: number, scan: ScanResult): CborValue {
  // A view of its own: the decoder leaves a property on what it is given, and a Buffer would beget Buffers.
  const view = new Uint8Array(bytes.buffer, bytes.byteOffset + start, scan.end - start);
  let value: unknown;
  try {
    value = decoder.decode(view);
  } catch (cause) {
    throw new PipevineError('malformed', 'The CBOR item passed the scan but does not decode.', { cause });
  }
  if (!scan.wideOrTagged && scan.markedTexts === undefined) return value as CborValue; // The scan allows nothing else.
  return new Normaliser(scan.markedTexts).value(value);
}

/**
 * Puts right what the decoder does differently: it gives every integer of more than 32 bits as a bigint, has a tag
 * class of its own, and drops the byte order mark of a text of more than 64 bytes. Walks in document order.
 */
class Normaliser {
  readonly #markedTexts: ReadonlySet<number>;
  #texts = 0;

  constructor(markedTexts: readonly number[] | undefined) {
    this.#markedTexts = new Set(markedTexts);
  }

  value(value: unknown): CborValue {
    if (typeof value === 'bigint') return narrowed(value);
    if (typeof value === 'string') return this.#text(value);
    if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value as CborValue; // A leaf.
    if (Array.isArray(value)) return value.map((member) => this.value(member));
    if (value instanceof Map) {
      const map = new Map<CborKey | bigint, CborValue>();
      // The scan lets only integers and text be keys.
      for (const [key, member] of value) map.set(this.value(key) as CborKey | bigint, this.value(member));
      return map;
    }
    const tagged = value as { tag: number; value: unknown }; // All else that the scan lets through.
    return new CborTag(tagged.tag, this.value(tagged.value));
  }

  #text(text: string): string {
    const marked = this.#markedTexts.has(this.#texts++);
    return marked && text.charCodeAt(0) !== 0xfeff ? `\ufeff${text}` : text;
  }
}

function narrowed(value: bigint): number | bigint {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}
