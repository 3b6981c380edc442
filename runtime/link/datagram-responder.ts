import { PipevineError } from '../error/pipevine-error.ts';
import type { ConnectionHandler } from '../platform/transport.ts';
import {
  decodeHandshakePacket,
  encodeHandshakePacket,
  type FinishPacket,
  type InitialPacket,
  isRecordPacket,
  PACKET_ID_BYTES,
} from './datagram-packet.ts';
import { DatagramRecords } from './datagram-records.ts';
import { HandshakeOutcome, handshakeError } from './handshake-outcome.ts';
import { INITIAL_PACKET_BYTES, MAX_BAD_HANDSHAKE_PACKETS, MAX_HANDSHAKE_MESSAGE_BYTES } from './link-defaults.ts';
import { LinkHandshake, PatternCode } from './link-handshake.ts';
import type { AcceptLinkInit } from './link-init.ts';
import { type LinkLimits, resolveLinkLimits } from './link-limits.ts';
import { SessionLink } from './session-link.ts';

export function acceptDatagramLink(init: AcceptLinkInit): Promise<SessionLink> {
  return new DatagramResponder(init).run();
}

/** A handshake under way with the dialler that goes by `initiatorId`. */
interface Attempt {
  readonly initiatorId: Uint8Array;
  readonly responderId: Uint8Array;
  readonly handshake: LinkHandshake;
  /** Sent again when INITIAL comes again. */
  readonly response: Uint8Array;
  /** IK: the session stands, but INITIAL may be a replay until a record comes. */
  readonly unconfirmed: SessionLink | undefined;
  /** The largest INITIAL that came, in bytes: what arrives one way counts as arriving the other way too. */
  largestBytes: number;
}

type Phase =
  | { readonly name: 'listening'; readonly attempt: Attempt | undefined }
  | { readonly name: 'up'; readonly link: SessionLink; readonly initiatorId: Uint8Array }
  | { readonly name: 'failed' };

/**
 * The acceptor of a datagram link. It speaks only when spoken to, and to an address that is not validated never more
 * bytes than came from there. Packets that make no sense are dropped: anyone can send them in another's name. While the
 * link stands, an INITIAL declined to the transport begins another one beside it: should the dialler have restarted,
 * that one is proven before this one is given up.
 */
class DatagramResponder implements ConnectionHandler {
  readonly #init: AcceptLinkInit;
  readonly #limits: LinkLimits;
  readonly #outcome: HandshakeOutcome;
  #phase: Phase = { name: 'listening', attempt: undefined };
  #validated = false;
  #bytesIn = 0;
  #bytesOut = 0;
  #attempts = 0;
  #badPackets = 0;

  constructor(init: AcceptLinkInit) {
    this.#init = init;
    this.#limits = resolveLinkLimits(init.limits);
    const leave = init.gate?.enter((error) => this.#fail(error));
    this.#outcome = new HandshakeOutcome(init, () => leave?.());
  }

  run(): Promise<SessionLink> {
    if (!this.#outcome.settled) this.#init.connection.start(this);
    return this.#outcome.link;
  }

  onBytes(packet: Uint8Array): void {
    const phase = this.#phase;
    try {
      if (phase.name === 'up') {
        this.#onPacketOfLink(packet, phase.link, phase.initiatorId);
      } else if (phase.name === 'listening') {
        this.#bytesIn += packet.length;
        this.#onHandshakePacket(packet, phase.attempt);
      }
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

  #onPacketOfLink(packet: Uint8Array, link: SessionLink, initiatorId: Uint8Array): void {
    if (isRecordPacket(packet)) return link.receive(packet);
    link.drop();
    const decoded = decodeHandshakePacket(packet);
    const begins = decoded?.type === 'initial';
    // The INITIAL of this link may have been doubled, or repeated before it was answered.
    if (begins && this.#init.crypto.equalConstantTime(decoded.initiatorId, initiatorId)) return;
    this.#init.connection.decline?.(packet, begins);
  }

  #onHandshakePacket(packet: Uint8Array, attempt: Attempt | undefined): void {
    const decoded = isRecordPacket(packet) ? undefined : decodeHandshakePacket(packet);
    if (decoded?.type === 'initial') return this.#onInitial(decoded, packet.length, attempt);
    if (attempt === undefined) {
      // Records for the peer that had this address before, or noise: not worth a place among the handshakes.
      throw new PipevineError('protocol', 'The first packet of a datagram link must be INITIAL; another one came.');
    }
    if (decoded?.type === 'finish') this.#onFinish(decoded, attempt);
    else if (attempt.unconfirmed?.confirm(packet)) this.#succeed(attempt.unconfirmed, attempt);
  }

  #onInitial(packet: InitialPacket, bytes: number, attempt: Attempt | undefined): void {
    const { connection, crypto, random, identity, gate } = this.#init;
    const { initiatorId, message } = packet;
    const address = connection.remoteAddress;
    if (packet.cookie.length > 0 && gate?.isCookie(packet.cookie, address, initiatorId)) this.#validated = true;
    if (!this.#validated && gate?.wantsCookies) {
      const cookie = gate.cookieFor(address, initiatorId);
      this.#answer(encodeHandshakePacket({ type: 'cookie', initiatorId, cookie }));
      if (attempt !== undefined) return;
      throw new PipevineError('overloaded', 'Many handshakes are under way: the dialler must come back with a cookie.');
    }
    if (attempt !== undefined && crypto.equalConstantTime(attempt.initiatorId, initiatorId)) {
      attempt.largestBytes = Math.max(attempt.largestBytes, bytes);
      this.#answer(attempt.response.slice());
      return;
    }
    const pattern = packet.pattern;
    if (pattern !== PatternCode.xx && pattern !== PatternCode.ik) return;
    if (message.length > MAX_HANDSHAKE_MESSAGE_BYTES || ++this.#attempts > MAX_BAD_HANDSHAKE_PACKETS) return;
    const { maxRecordBytes } = this.#limits;
    const handshake = new LinkHandshake({ role: 'responder', pattern, identity, crypto, random, maxRecordBytes });
    try {
      if (!handshake.read(message)) return;
    } catch (error) {
      // Whoever this was may not be whom the address belongs to: nobody is refused for it.
      if (error instanceof PipevineError && error.code !== 'internal') return;
      throw error;
    }
    const responderId = random.bytes(PACKET_ID_BYTES);
    const response = encodeHandshakePacket({ type: 'response', initiatorId, responderId, message: handshake.write() });
    const unconfirmed = handshake.finished ? this.#makeLink(handshake, bytes) : undefined;
    const largestBytes = bytes;
    this.#phase = {
      name: 'listening',
      attempt: { initiatorId, responderId, handshake, response, unconfirmed, largestBytes },
    };
    this.#answer(response.slice());
  }

  #onFinish(packet: FinishPacket, attempt: Attempt): void {
    if (attempt.unconfirmed !== undefined) return;
    if (!this.#init.crypto.equalConstantTime(packet.responderId, attempt.responderId)) return;
    if (!attempt.handshake.read(packet.message)) {
      if (++this.#badPackets < MAX_BAD_HANDSHAKE_PACKETS) return;
      throw new PipevineError('forged', `${this.#badPackets} handshake packets came that do not authenticate.`);
    }
    this.#succeed(this.#makeLink(attempt.handshake, attempt.largestBytes), attempt);
  }

  #makeLink(handshake: LinkHandshake, initialBytes: number): SessionLink {
    const session = handshake.session();
    const { connection, identity, clock, random } = this.#init;
    return new SessionLink({
      connection,
      port: new DatagramRecords(connection, session),
      localPeer: identity.id,
      remotePeer: session.remotePeer,
      remoteStaticKey: session.remoteStaticKey,
      dialled: false,
      clock,
      random,
      limits: this.#limits,
      fullSizeConfirmed: initialBytes >= Math.min(INITIAL_PACKET_BYTES, connection.maxPacketBytes),
    });
  }

  #answer(packet: Uint8Array): void {
    if (!this.#validated && this.#bytesOut + packet.length > this.#bytesIn) return;
    this.#bytesOut += packet.length;
    this.#init.connection.write([packet]);
  }

  #succeed(link: SessionLink, { initiatorId }: Attempt): void {
    this.#phase = { name: 'up', link, initiatorId };
    // Tells the dialler that it was understood; should it be lost, the dialler asks again and gets PONG.
    link.probe();
    this.#outcome.succeed(link);
  }

  #fail(cause: unknown): void {
    const error = handshakeError(cause);
    if (this.#phase.name === 'up') return this.#phase.link.fail(error);
    this.#phase = { name: 'failed' };
    this.#outcome.fail(error);
  }
}
