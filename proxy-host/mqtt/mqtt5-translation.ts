import { PipevineError } from '@pipevine/runtime';
import { FieldReader } from './mqtt5-fields.ts';
import { reasonOfReturnCode } from './mqtt5-reason.ts';
import { encodePacket, type FramedPacket } from './packet-framer.ts';

const NONE = new Uint8Array(0);
const NO_PROPERTIES = Uint8Array.of(0);
const NEVER_EXPIRES = 0xffff_ffff;

export interface Mqtt5Limits {
  readonly maxPacketBytes: number;
  readonly receiveMaximum: number;
  readonly sessionLifetimeSeconds: number;
  /** Bytes that may wait because the client's receive maximum is reached. */
  readonly maxHeldBytes: number;
}

/**
 * Speaks MQTT 5 to a client in front of a broker that speaks MQTT 3.1.1. Reasons, clean start, session expiry, assigned
 * client ids, maximum packet size, receive maximum, "no local" and "do not send retained" are honoured; other
 * properties (user properties, response topic, message expiry ...) are not carried. Topic aliases and shared
 * subscriptions are not offered, as the CONNACK says.
 *
 *   client -> broker   CONNECT: version 4, properties dropped; PUBLISH, SUBSCRIBE, UNSUBSCRIBE: properties dropped;
 *                      acknowledgements: cut to the packet id; a PUBREC that refuses becomes a PUBCOMP
 *   broker -> client   CONNACK: reason and properties; PUBLISH, SUBACK: empty properties; UNSUBACK: a reason a filter
 */
export class Mqtt5Translation {
  readonly #limits: Mqtt5Limits;
  /** Filters that the client subscribed with "no local". */
  readonly noLocal = new Set<string>();
  /** Filters whose retained messages the client does not want. */
  readonly withoutRetained = new Set<string>();
  readonly #unsubscribed = new Map<number, number>();
  readonly #inFlight = new Set<number>();
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #waiters: { bytes: number; resolve: () => void }[] = [];
  #closed = false;
  #assignedClientId: Uint8Array | undefined;
  #receiveMaximum = 65_535;
  #clientMaxPacketBytes = Number.MAX_SAFE_INTEGER;
  #sessionExpirySeconds = 0;
  #connected = false;
  #droppedTooLarge = 0;

  constructor(limits: Mqtt5Limits) {
    this.#limits = limits;
  }

  /** Messages that were longer than the client's maximum packet size (MQTT 5, 3.1.2.11.4). */
  get droppedTooLarge(): number {
    return this.#droppedTooLarge;
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Translates the CONNECT; `startClean` says that an earlier session of this client must go first. */
  connect(packet: FramedPacket, newClientId: () => string): { bytes: Uint8Array; startClean: boolean } {
    const reader = new FieldReader(packet.body);
    const protocolName = reader.counted();
    reader.byte(); // the version, 5
    const flags = reader.byte();
    const keepAlive = reader.take(2);
    const properties = reader.properties();
    if (properties.has(0x15)) {
      throw new PipevineError('unsupported', 'MQTT 5: enhanced authentication is not offered: use user and password');
    }
    this.#sessionExpirySeconds = properties.get(0x11) ?? 0;
    this.#receiveMaximum = properties.get(0x21) ?? 65_535;
    this.#clientMaxPacketBytes = properties.get(0x27) ?? Number.MAX_SAFE_INTEGER;
    if (this.#receiveMaximum === 0 || this.#clientMaxPacketBytes === 0) {
      throw new PipevineError('protocol', 'MQTT 5: receive maximum and maximum packet size must not be 0');
    }
    let clientId = reader.counted();
    if (clientId.length === 2) {
      const id = new TextEncoder().encode(newClientId());
      clientId = Uint8Array.of(id.length >> 8, id.length & 0xff, ...id);
      this.#assignedClientId = clientId;
    }
    const parts = [clientId];
    if ((flags & 0x04) !== 0) {
      reader.skipProperties();
      parts.push(reader.counted(), reader.counted());
    }
    parts.push(reader.rest());
    const persistent = this.#sessionExpirySeconds > 0;
    const cleanFlag = persistent ? 0 : 0x02;
    const head = [protocolName, Uint8Array.of(4, (flags & ~0x02) | cleanFlag), keepAlive];
    return { bytes: encodePacket(0x10, [...head, ...parts]), startClean: persistent && (flags & 0x02) !== 0 };
  }

  /** A packet of the client, after the CONNECT. Returns undefined when the connection shall just end (will included). */
  fromClient(packet: FramedPacket): { toBroker: Uint8Array; toClient: readonly Uint8Array[] } | undefined {
    const { firstByte, body } = packet;
    const reader = new FieldReader(body);
    const type = firstByte >> 4;
    const only = (toBroker: Uint8Array) => ({ toBroker, toClient: [] });
    switch (type) {
      case 3: {
        const topic = reader.counted();
        const id = (firstByte & 0x06) !== 0 ? reader.take(2) : NONE;
        const properties = reader.properties();
        if (topic.length === 2 || properties.has(0x23)) {
          throw new PipevineError('protocol', 'MQTT 5: topic aliases are not offered: send the topic');
        }
        return only(encodePacket(firstByte, [topic, id, reader.rest()]));
      }
      case 4:
      case 5:
      case 7: {
        const id = reader.uint16();
        const refused = reader.left > 0 && reader.byte() >= 0x80;
        const done = type !== 5 || refused;
        const out = encodePacket(type === 5 && refused ? 0x70 : firstByte, [Uint8Array.of(id >> 8, id & 0xff)]);
        return { toBroker: out, toClient: done ? this.#release(id) : [] };
      }
      case 6:
        return only(encodePacket(firstByte, [reader.take(2)]));
      case 8: {
        const id = reader.take(2);
        reader.skipProperties();
        const filters: Uint8Array[] = [];
        while (reader.left > 0) {
          const filter = reader.counted();
          const options = reader.byte();
          const text = new TextDecoder().decode(filter.subarray(2));
          if ((options & 0x04) !== 0) this.noLocal.add(text);
          else this.noLocal.delete(text);
          if ((options & 0x30) === 0x20) this.withoutRetained.add(text);
          else this.withoutRetained.delete(text);
          filters.push(filter, Uint8Array.of(options & 0x03));
        }
        return only(encodePacket(firstByte, [id, ...filters]));
      }
      case 10: {
        const id = reader.uint16();
        reader.skipProperties();
        const filters = reader.rest();
        const counting = new FieldReader(filters);
        let count = 0;
        for (; counting.left > 0; count++) {
          const text = new TextDecoder().decode(counting.counted().subarray(2));
          this.noLocal.delete(text);
          this.withoutRetained.delete(text);
        }
        this.#unsubscribed.set(id, count);
        return only(encodePacket(firstByte, [Uint8Array.of(id >> 8, id & 0xff), filters]));
      }
      case 12:
        return only(encodePacket(firstByte, []));
      case 14:
        return reader.left > 0 && reader.byte() !== 0 ? undefined : only(encodePacket(0xe0, []));
      default:
        throw new PipevineError('protocol', `MQTT 5: packet type ${type} is not expected from a client here`);
    }
  }

  /** A packet of the broker; undefined when nothing goes out now. */
  toClient(packet: FramedPacket): Uint8Array | undefined {
    const { firstByte, body } = packet;
    const reader = new FieldReader(body);
    switch (firstByte >> 4) {
      case 2:
        return this.#connack(reader.byte(), reader.byte());
      case 3: {
        const topic = reader.counted();
        if ((firstByte & 0x06) === 0)
          return this.#fitting(encodePacket(firstByte, [topic, NO_PROPERTIES, reader.rest()]));
        const id = reader.uint16();
        const head = [topic, Uint8Array.of(id >> 8, id & 0xff), NO_PROPERTIES];
        const out = this.#fitting(encodePacket(firstByte, [...head, reader.rest()]));
        if (out === undefined || this.#receiveMaximum === 65_535) return out;
        if (this.#held.length > 0 || this.#inFlight.size >= this.#receiveMaximum) return this.#hold(out);
        this.#inFlight.add(id);
        return out;
      }
      case 9:
        return encodePacket(firstByte, [reader.take(2), NO_PROPERTIES, reader.rest()]);
      case 11: {
        const id = reader.uint16();
        const count = this.#unsubscribed.get(id) ?? 1;
        this.#unsubscribed.delete(id);
        return encodePacket(firstByte, [Uint8Array.of(id >> 8, id & 0xff), NO_PROPERTIES, new Uint8Array(count)]);
      }
      default:
        return encodePacket(firstByte, [body]);
    }
  }

  /** The last words of a connection that the broker ends: a refusing CONNACK before it is up, a DISCONNECT after. */
  end(reason: number): Uint8Array {
    return this.#connected
      ? encodePacket(0xe0, [Uint8Array.of(reason, 0)])
      : encodePacket(0x20, [Uint8Array.of(0, reason, 0)]);
  }

  #connack(flags: number, returnCode: number): Uint8Array {
    if (returnCode !== 0) return encodePacket(0x20, [Uint8Array.of(0, reasonOfReturnCode(returnCode), 0)]);
    this.#connected = true;
    const properties: number[] = [0x27, ...fourBytes(this.#limits.maxPacketBytes), 0x29, 0, 0x2a, 0];
    const { receiveMaximum, sessionLifetimeSeconds } = this.#limits;
    if (receiveMaximum < 65_535) properties.push(0x21, receiveMaximum >> 8, receiveMaximum & 0xff);
    if (this.#sessionExpirySeconds > sessionLifetimeSeconds && sessionLifetimeSeconds < NEVER_EXPIRES) {
      properties.push(0x11, ...fourBytes(sessionLifetimeSeconds));
    }
    if (this.#assignedClientId !== undefined) properties.push(0x12, ...this.#assignedClientId);
    return encodePacket(0x20, [Uint8Array.of(flags, 0, properties.length, ...properties)]);
  }

  #fitting(packet: Uint8Array): Uint8Array | undefined {
    if (packet.length <= this.#clientMaxPacketBytes) return packet;
    this.#droppedTooLarge++;
    return undefined;
  }

  /** Resolves when at most `bytes` wait for the client's receive maximum, or when the connection has ended. */
  heldBelow(bytes: number): Promise<void> {
    if (this.#heldBytes <= bytes || this.#closed) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ bytes, resolve }));
  }

  close(): void {
    this.#closed = true;
    this.#held = [];
    this.#heldBytes = 0;
    for (const waiter of this.#waiters.splice(0)) waiter.resolve();
  }

  #hold(packet: Uint8Array): undefined {
    this.#held.push(packet);
    this.#heldBytes += packet.length;
    if (this.#heldBytes > this.#limits.maxHeldBytes) {
      throw new PipevineError('overloaded', 'MQTT 5: the client acknowledges too slowly for what it subscribed to');
    }
    return undefined;
  }

  #release(id: number): readonly Uint8Array[] {
    if (!this.#inFlight.delete(id)) return [];
    const next = this.#held.shift();
    if (next === undefined) return [];
    this.#heldBytes -= next.length;
    const ready = this.#waiters.filter((waiter) => this.#heldBytes <= waiter.bytes);
    this.#waiters = this.#waiters.filter((waiter) => this.#heldBytes > waiter.bytes);
    for (const waiter of ready) waiter.resolve();
    const reader = new FieldReader(next);
    reader.byte();
    reader.variableInteger();
    reader.counted();
    this.#inFlight.add(reader.uint16());
    return [next];
  }
}

function fourBytes(value: number): number[] {
  return [(value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}

/** Whether a CONNECT asks for MQTT 5. The protocol name is `MQTT`, two bytes of length before it. */
export function isMqtt5Connect(packet: FramedPacket): boolean {
  return packet.firstByte >> 4 === 1 && packet.body[6] === 5;
}
