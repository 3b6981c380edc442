/** A whole MQTT packet: the body starts after type, flags and remaining length. */
export interface FramedPacket {
  readonly firstByte: number;
  readonly body: Uint8Array;
}

/** Cuts a run of bytes, whose lengths a PacketScanner has judged already, into whole packets. */
export class PacketFramer {
  #chunks: Uint8Array[] = [];
  #length = 0;
  /** No use looking before this many bytes are there. */
  #needed = 2;

  push(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#length += bytes.length;
  }

  /** Takes the next whole packet, or returns undefined. */
  next(): FramedPacket | undefined {
    if (this.#length < this.#needed) return undefined;
    const all = this.#joined();
    let bodyBytes = 0;
    let scale = 1;
    let at = 1;
    for (; ; at++) {
      const byte = all[at];
      if (byte === undefined) {
        this.#needed = all.length + 1;
        return undefined;
      }
      bodyBytes += (byte & 0x7f) * scale;
      scale *= 128;
      if ((byte & 0x80) === 0) break;
    }
    const end = at + 1 + bodyBytes;
    if (all.length < end) {
      this.#needed = end;
      return undefined;
    }
    this.#needed = 2;
    this.#chunks = end < all.length ? [all.subarray(end)] : [];
    this.#length = all.length - end;
    return { firstByte: all[0] ?? 0, body: all.subarray(at + 1, end) };
  }

  /** Gives back what has not been taken, and forgets it. */
  takeRest(): Uint8Array {
    const rest = this.#joined();
    this.#chunks = [];
    this.#length = 0;
    this.#needed = 2;
    return rest;
  }

  #joined(): Uint8Array {
    const only = this.#chunks[0];
    if (only !== undefined && this.#chunks.length === 1) return only;
    const all = new Uint8Array(this.#length);
    let at = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    this.#chunks = [all];
    return all;
  }
}

/** Encodes a packet: type and flags, remaining length, then the parts of the body. */
export function encodePacket(firstByte: number, parts: readonly Uint8Array[]): Uint8Array {
  let bodyBytes = 0;
  for (const part of parts) bodyBytes += part.length;
  const length = encodeVariableInteger(bodyBytes);
  const packet = new Uint8Array(1 + length.length + bodyBytes);
  packet[0] = firstByte;
  packet.set(length, 1);
  let at = 1 + length.length;
  for (const part of parts) {
    packet.set(part, at);
    at += part.length;
  }
  return packet;
}

/** MQTT 5, section 1.5.5. */
export function encodeVariableInteger(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low | 0x80 : low);
  } while (rest > 0);
  return Uint8Array.from(bytes);
}
