import { PipevineError } from '@pipevine/runtime';
import type { BrokerLimits } from './broker-limits.ts';
import { reasonOf } from './mqtt5-reason.ts';
import { isMqtt5Connect, Mqtt5Translation } from './mqtt5-translation.ts';
import { encodePacket, type FramedPacket, PacketFramer } from './packet-framer.ts';
import { PacketScanner } from './packet-scanner.ts';
import type { StreamScreen } from './screened-stream.ts';

/** Client id, will of 64 KiB, user and password: more than this is no CONNECT. */
const MAX_CONNECT_BYTES = 128 * 1024;

/** What all clients' screens share. */
export interface ScreenBudget {
  partialBytes: number;
}

export interface ClientScreenInit {
  readonly limits: BrokerLimits;
  readonly budget: ScreenBudget;
  readonly newClientId: () => string;
  readonly nowMs: () => number;
  /** Bytes that go to the client past the broker. */
  readonly sendDirect: (bytes: Uint8Array) => void;
  /** The client ends the connection and wants its will published. */
  readonly onAbruptEnd: () => void;
}

type Mode = { kind: 'connecting' } | { kind: 'mqtt3' } | { kind: 'mqtt5'; translation: Mqtt5Translation };

/**
 * Stands between a client's socket and the broker: refuses a packet by the length that its header announces, holds the
 * CONNECT until it is whole, and speaks MQTT 5 where the client does.
 */
export class ClientScreen implements StreamScreen {
  readonly #init: ClientScreenInit;
  readonly #scanner: PacketScanner;
  readonly #inFramer = new PacketFramer();
  readonly #outFramer = new PacketFramer();
  #mode: Mode = { kind: 'connecting' };
  #partialBytes = 0;
  #partialSinceMs: number | undefined;
  #startClean = false;

  constructor(init: ClientScreenInit) {
    this.#init = init;
    this.#scanner = new PacketScanner((firstByte, bodyBytes) => this.#judge(firstByte, bodyBytes));
  }

  /** Monotonic time since which a packet is arriving; undefined between packets. */
  get partialSinceMs(): number | undefined {
    return this.#partialSinceMs;
  }

  get translation(): Mqtt5Translation | undefined {
    return this.#mode.kind === 'mqtt5' ? this.#mode.translation : undefined;
  }

  /** The client asked for a new session that is to be kept. */
  get startClean(): boolean {
    return this.#startClean;
  }

  inbound(bytes: Uint8Array): readonly Uint8Array[] {
    const passed = this.#scanner.push(bytes);
    this.#trackPartial();
    if (this.#mode.kind === 'mqtt3') return passed;
    for (const part of passed) this.#inFramer.push(part);
    const out: Uint8Array[] = [];
    for (let packet = this.#inFramer.next(); packet !== undefined; packet = this.#inFramer.next()) {
      if (this.#mode.kind === 'mqtt5') {
        const translated = this.#mode.translation.fromClient(packet);
        if (translated === undefined) {
          this.#init.onAbruptEnd();
          break;
        }
        out.push(translated.toBroker);
        for (const direct of translated.toClient) this.#init.sendDirect(direct);
      } else {
        out.push(this.#connect(packet));
        if (this.#isMqtt3()) {
          const rest = this.#inFramer.takeRest();
          if (rest.length > 0) out.push(rest);
          break;
        }
      }
    }
    return out;
  }

  outbound(chunks: readonly Uint8Array[]): readonly Uint8Array[] {
    if (this.#mode.kind !== 'mqtt5') return chunks;
    for (const chunk of chunks) this.#outFramer.push(chunk);
    const out: Uint8Array[] = [];
    for (let packet = this.#outFramer.next(); packet !== undefined; packet = this.#outFramer.next()) {
      const translated = this.#mode.translation.toClient(packet);
      if (translated !== undefined) out.push(translated);
    }
    return out;
  }

  farewell(fault: PipevineError): Uint8Array | undefined {
    return this.#mode.kind === 'mqtt5' ? this.#mode.translation.end(reasonOf(fault)) : undefined;
  }

  /** Gives back what this screen holds of the budget. */
  release(): void {
    this.#init.budget.partialBytes -= this.#partialBytes;
    this.#partialBytes = 0;
    this.#partialSinceMs = undefined;
  }

  #isMqtt3(): boolean {
    return this.#mode.kind === 'mqtt3';
  }

  #connect(packet: FramedPacket): Uint8Array {
    if (packet.firstByte !== 0x10) {
      throw new PipevineError('protocol', 'MQTT: expected a CONNECT packet first; is this an MQTT client?');
    }
    if (!isMqtt5Connect(packet)) {
      this.#mode = { kind: 'mqtt3' };
      return encodePacket(packet.firstByte, [packet.body]);
    }
    const { limits } = this.#init;
    const translation = new Mqtt5Translation({
      maxPacketBytes: limits.maxPacketBytes,
      receiveMaximum: Math.min(limits.maxInflightPerClient, 65_535),
      sessionLifetimeSeconds: Math.floor(limits.sessionLifetimeMs / 1_000),
      maxHeldBytes: limits.maxOutgoingBytesAcknowledged,
    });
    this.#mode = { kind: 'mqtt5', translation };
    const { bytes, startClean } = translation.connect(packet, this.#init.newClientId);
    this.#startClean = startClean;
    return bytes;
  }

  #judge(firstByte: number, bodyBytes: number): 'pass' {
    const { limits } = this.#init;
    if (this.#mode.kind === 'connecting' && this.#isFirst) {
      this.#isFirst = false;
      if (firstByte !== 0x10) {
        throw new PipevineError('protocol', 'MQTT: expected a CONNECT packet first; is this an MQTT client?');
      }
      const most = Math.min(MAX_CONNECT_BYTES, limits.maxPacketBytes);
      if (bodyBytes > most) {
        throw new PipevineError('too-large', `MQTT: expected a CONNECT of at most ${most} bytes, got ${bodyBytes}`);
      }
    } else if (bodyBytes > limits.maxPacketBytes) {
      throw new PipevineError(
        'too-large',
        `MQTT: expected a packet of at most ${limits.maxPacketBytes} bytes, got one that announces ${bodyBytes}`,
      );
    }
    return 'pass';
  }

  #isFirst = true;

  #trackPartial(): void {
    const { budget, limits } = this.#init;
    const partial = this.#scanner.partialBytes;
    budget.partialBytes += partial - this.#partialBytes;
    this.#partialBytes = partial;
    if (partial === 0) this.#partialSinceMs = undefined;
    else this.#partialSinceMs ??= this.#init.nowMs();
    if (partial > 0 && budget.partialBytes > limits.maxPartialBytes) {
      throw new PipevineError('overloaded', `MQTT: more than ${limits.maxPartialBytes} bytes of packets are arriving`);
    }
  }
}
