import { PipevineError } from '../error/pipevine-error.ts';
import type { Timer } from '../platform/clock.ts';
import type { ConnectionHandler } from '../platform/transport.ts';
import {
  type CookiePacket,
  decodeHandshakePacket,
  encodeHandshakePacket,
  isRecordPacket,
  PACKET_ID_BYTES,
  type ResponsePacket,
} from './datagram-packet.ts';
import { DatagramRecords } from './datagram-records.ts';
import { HandshakeOutcome, handshakeError } from './handshake-outcome.ts';
import {
  FULL_SIZE_INITIALS,
  INITIAL_PACKET_BYTES,
  MAX_BAD_HANDSHAKE_PACKETS,
  RETRANSMIT_FIRST_MS,
  RETRANSMIT_JITTER,
  RETRANSMIT_MAX_MS,
  SMALL_PACKET_BYTES,
} from './link-defaults.ts';
import { LinkHandshake, PatternCode } from './link-handshake.ts';
import type { DialLinkInit } from './link-init.ts';
import { type LinkLimits, resolveLinkLimits } from './link-limits.ts';
import { SessionLink } from './session-link.ts';

export function dialDatagramLink(init: DialLinkInit): Promise<SessionLink> {
  return new DatagramInitiator(init).run();
}

/** `finishing`: all is said, and said again until a record proves that the responder has a session too. */
type Phase =
  | { readonly name: 'asking' }
  | { readonly name: 'finishing'; readonly link: SessionLink; readonly finish: Uint8Array | undefined }
  | { readonly name: 'up'; readonly link: SessionLink }
  | { readonly name: 'failed' };

/** The dialler of a datagram link: repeats its last flight with growing waits until it is answered, or the deadline. */
class DatagramInitiator implements ConnectionHandler {
  readonly #init: DialLinkInit;
  readonly #limits: LinkLimits;
  readonly #outcome: HandshakeOutcome;
  readonly #handshake: LinkHandshake;
  readonly #pattern: PatternCode;
  readonly #id: Uint8Array;
  readonly #message: Uint8Array;
  #cookie = new Uint8Array(0);
  #phase: Phase = { name: 'asking' };
  #timer: Timer | undefined;
  #waitMs = RETRANSMIT_FIRST_MS;
  #badPackets = 0;
  #initials = 0;

  constructor(init: DialLinkInit) {
    this.#init = init;
    this.#limits = resolveLinkLimits(init.limits);
    this.#pattern = init.remoteStaticKey === undefined ? PatternCode.xx : PatternCode.ik;
    const { identity, crypto, random, expectedPeer, remoteStaticKey } = init;
    this.#handshake = new LinkHandshake({
      role: 'initiator',
      pattern: this.#pattern,
      identity,
      crypto,
      random,
      maxRecordBytes: this.#limits.maxRecordBytes,
      ...(expectedPeer === undefined ? {} : { expectedPeer }),
      ...(remoteStaticKey === undefined ? {} : { remoteStaticKey }),
    });
    this.#id = random.bytes(PACKET_ID_BYTES);
    this.#message = this.#handshake.write();
    const cleanUp = () => this.#timer?.cancel();
    // Once all is said the responder may have a link already, and nothing would tell it of an abort: where both sides dial,
    // and each takes the other's link for a reason to abort its own, neither would be left with one that works.
    this.#outcome = new HandshakeOutcome(init, cleanUp, () => this.#phase.name !== 'finishing');
  }

  run(): Promise<SessionLink> {
    if (!this.#outcome.settled) {
      this.#init.connection.start(this);
      this.#speak();
    }
    return this.#outcome.link;
  }

  onBytes(packet: Uint8Array): void {
    const phase = this.#phase;
    if (phase.name === 'failed') return;
    try {
      if (isRecordPacket(packet)) return this.#onRecord(packet, phase);
      this.#onHandshakePacket(packet, phase);
    } catch (error) {
      this.#fail(error);
    }
  }

  onWritable(): void {
    if (this.#phase.name === 'up') this.#phase.link.connectionWritable();
  }

  onClosed(error?: PipevineError): void {
    if (this.#phase.name === 'up') return this.#phase.link.connectionClosed(error);
    this.#fail(error ?? new PipevineError('unreachable', 'The connection was closed during the handshake.'));
  }

  #onHandshakePacket(packet: Uint8Array, phase: Phase): void {
    if (phase.name === 'up') phase.link.drop();
    const decoded = decodeHandshakePacket(packet);
    const isAnswer = decoded?.type === 'cookie' || decoded?.type === 'response';
    if (!isAnswer || !this.#isOurs(decoded.initiatorId)) {
      // The other side dials as well, or has restarted: that is another link, beside this one.
      this.#init.connection.decline?.(packet, decoded?.type === 'initial');
    } else if (phase.name === 'asking') {
      if (decoded.type === 'cookie') this.#onCookie(decoded);
      else this.#onResponse(decoded);
    }
  }

  #onRecord(packet: Uint8Array, phase: Phase): void {
    if (phase.name === 'up') return phase.link.receive(packet);
    if (phase.name !== 'finishing' || !phase.link.confirm(packet)) {
      this.#init.connection.decline?.(packet, false);
      return;
    }
    this.#phase = { name: 'up', link: phase.link };
    this.#outcome.succeed(phase.link);
  }

  #onCookie(packet: CookiePacket): void {
    // One cookie is obeyed: who forges a second would only make us repeat ourselves.
    if (this.#cookie.length > 0) return;
    this.#cookie = packet.cookie.slice();
    this.#speakAgain();
  }

  #onResponse(packet: ResponsePacket): void {
    if (!this.#handshake.read(packet.message)) {
      if (++this.#badPackets < MAX_BAD_HANDSHAKE_PACKETS) return;
      throw new PipevineError('forged', `${this.#badPackets} answers came that do not authenticate; none did.`);
    }
    const finish = this.#handshake.finished
      ? undefined
      : encodeHandshakePacket({
          type: 'finish',
          responderId: packet.responderId,
          message: this.#handshake.write(),
        });
    const session = this.#handshake.session();
    const { connection, identity, clock, random } = this.#init;
    const link = new SessionLink({
      connection,
      port: new DatagramRecords(connection, session),
      localPeer: identity.id,
      remotePeer: session.remotePeer,
      remoteStaticKey: session.remoteStaticKey,
      dialled: true,
      clock,
      random,
      limits: this.#limits,
      fullSizeConfirmed: this.#initials <= FULL_SIZE_INITIALS,
    });
    this.#phase = { name: 'finishing', link, finish };
    this.#speakAgain();
  }

  #isOurs(id: Uint8Array): boolean {
    return this.#init.crypto.equalConstantTime(id, this.#id);
  }

  #speakAgain(): void {
    this.#timer?.cancel();
    this.#waitMs = RETRANSMIT_FIRST_MS;
    this.#speak();
  }

  /** Sends the flight of this phase, now and, unless answered, again. */
  #speak(): void {
    const phase = this.#phase;
    const { connection, clock, random } = this.#init;
    if (phase.name === 'asking') {
      // On a path that swallows large packets only a smaller one is answered.
      const bytes = ++this.#initials > FULL_SIZE_INITIALS ? SMALL_PACKET_BYTES : INITIAL_PACKET_BYTES;
      const padding = Math.min(bytes, connection.maxPacketBytes);
      const initiatorId = this.#id;
      const cookie = this.#cookie;
      const message = this.#message;
      connection.write([
        encodeHandshakePacket({ type: 'initial', initiatorId, cookie, pattern: this.#pattern, message }, padding),
      ]);
    } else if (phase.name === 'finishing') {
      if (phase.finish !== undefined) connection.write([phase.finish.slice()]);
      phase.link.probe();
    } else {
      return;
    }
    const waitMs = this.#waitMs * (1 - RETRANSMIT_JITTER * random.fraction());
    this.#waitMs = Math.min(this.#waitMs * 2, RETRANSMIT_MAX_MS);
    this.#timer = clock.setTimer(waitMs, () => this.#speak());
  }

  #fail(cause: unknown): void {
    const error = handshakeError(cause);
    if (this.#phase.name === 'up') return this.#phase.link.fail(error);
    this.#phase = { name: 'failed' };
    this.#outcome.fail(error);
  }
}
