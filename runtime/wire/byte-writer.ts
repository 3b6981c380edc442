/** Engines keep a typed array of so many bytes in their own heap, where it costs a tenth of a larger one. */
const SMALL_BYTES = 64;

/** Bytes that grow as they are written. Numbers are big-endian, as CBOR has them. */
export class ByteWriter {
  #bytes = new Uint8Array(SMALL_BYTES);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  uint8(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  /** A CBOR head: major type 0 to 7 and an argument below 2^53, in its shortest form (RFC 8949 section 3). */
  head(major: number, argument: number): void {
    this.#reserve(9);
    this.#length = writeHead(this.#bytes, this.#length, major, argument);
  }

  /** A CBOR head whose argument needs 64 bits. */
  wideHead(major: number, argument: bigint): void {
    this.#reserve(9);
    this.#bytes[this.#length] = (major << 5) | 27;
    this.#view().setBigUint64(this.#length + 1, argument);
    this.#length += 9;
  }

  uint16(value: number): void {
    this.#reserve(2);
    this.#bytes[this.#length++] = value >>> 8;
    this.#bytes[this.#length++] = value;
  }

  float32(value: number): void {
    this.#reserve(4);
    this.#view().setFloat32(this.#length, value);
    this.#length += 4;
  }

  float64(value: number): void {
    this.#reserve(8);
    this.#view().setFloat64(this.#length, value);
    this.#length += 8;
  }

  append(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** A copy of what was written. */
  toBytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 4));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }

  /** Made when asked for: hardly anything that is written has a number that needs it. */
  #view(): DataView {
    return new DataView(this.#bytes.buffer);
  }
}

/** Writes a CBOR head in its shortest form at `offset`, where 9 bytes are free; returns the offset after it. */
export function writeHead(target: Uint8Array, offset: number, major: number, argument: number): number {
  const top = major << 5;
  if (argument < 24) {
    target[offset] = top | argument;
    return offset + 1;
  }
  if (argument < 0x100) {
    target[offset] = top | 24;
    target[offset + 1] = argument;
    return offset + 2;
  }
  if (argument < 0x1_0000) {
    target[offset] = top | 25;
    target[offset + 1] = argument >>> 8;
    target[offset + 2] = argument;
    return offset + 3;
  }
  if (argument < 0x1_0000_0000) {
    target[offset] = top | 26;
    return writeUint32(target, offset + 1, argument);
  }
  target[offset] = top | 27;
  return writeUint32(target, writeUint32(target, offset + 1, Math.floor(argument / 0x1_0000_0000)), argument >>> 0);
}

function writeUint32(target: Uint8Array, offset: number, value: number): number {
  target[offset] = value >>> 24;
  target[offset + 1] = value >>> 16;
  target[offset + 2] = value >>> 8;
  target[offset + 3] = value;
  return offset + 4;
}
