import { PipevineError } from '@pipevine/runtime';

type PropertyType = 'byte' | 'two' | 'four' | 'variable' | 'binary' | 'pair';

/** MQTT 5, section 2.2.2.2: how long each property is. Strings are binary here, for their length alone matters. */
const PROPERTY_TYPES: ReadonlyMap<number, PropertyType> = new Map<number, PropertyType>([
  ...[0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2a].map((id) => [id, 'byte'] as const),
  ...[0x13, 0x21, 0x22, 0x23].map((id) => [id, 'two'] as const),
  ...[0x02, 0x11, 0x18, 0x27].map((id) => [id, 'four'] as const),
  ...[0x03, 0x08, 0x09, 0x12, 0x15, 0x16, 0x1a, 0x1c, 0x1f].map((id) => [id, 'binary'] as const),
  [0x0b, 'variable'],
  [0x26, 'pair'],
]);

/** Reads the fields of one packet's body; numbers are big-endian. Throws `malformed` when it is too short. */
export class FieldReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  byte(): number {
    return this.take(1)[0] ?? 0;
  }

  uint16(): number {
    const [high = 0, low = 0] = this.take(2);
    return high * 256 + low;
  }

  take(length: number): Uint8Array {
    if (length > this.left) {
      throw new PipevineError('malformed', `MQTT: expected ${length} more bytes in a packet, got ${this.left}`);
    }
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  rest(): Uint8Array {
    return this.take(this.left);
  }

  /** A string or binary field with its two bytes of length. */
  counted(): Uint8Array {
    const start = this.#at;
    this.take(this.uint16());
    return this.#bytes.subarray(start, this.#at);
  }

  variableInteger(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 4; count++) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if ((byte & 0x80) === 0) return value;
      scale *= 128;
    }
    throw new PipevineError('malformed', 'MQTT: a variable byte integer takes at most 4 bytes, got a fifth');
  }

  skipProperties(): void {
    this.take(this.variableInteger());
  }

  /** The numeric properties by identifier; of the others it is only known that they are there. */
  properties(): Map<number, number> {
    const reader = new FieldReader(this.take(this.variableInteger()));
    const found = new Map<number, number>();
    while (reader.left > 0) {
      const id = reader.variableInteger();
      const type = PROPERTY_TYPES.get(id);
      switch (type) {
        case 'byte':
          found.set(id, reader.byte());
          break;
        case 'two':
          found.set(id, reader.uint16());
          break;
        case 'four':
          found.set(id, reader.uint16() * 65_536 + reader.uint16());
          break;
        case 'variable':
          found.set(id, reader.variableInteger());
          break;
        case 'binary':
          reader.counted();
          found.set(id, 0);
          break;
        case 'pair':
          reader.counted();
          reader.counted();
          break;
        default:
          throw new PipevineError('malformed', `MQTT: expected a property of MQTT 5, got identifier ${id}`);
      }
    }
    return found;
  }
}
