/**
 * A link's handshake over a stream: messages as `u16 length (big-endian) | message`, the dialler's first one with the
 * pattern's byte in front, inside the length.
 */
import { PipevineError } from '../error/pipevine-error.ts';
import type { ConnectionHandler } from '../platform/transport.ts';
import { joinBytes } from '../wire/join-bytes.ts';
import { HandshakeOutcome, handshakeError } from './handshake-outcome.ts';
import { MAX_HANDSHAKE_MESSAGE_BYTES, TAG_BYTES } from './link-defaults.ts';
import { LinkHandshake, PatternCode } from './link-handshake.ts';
import type { AcceptLinkInit, DialLinkInit, LinkInit } from './link-init.ts';
import { type LinkLimits, resolveLinkLimits } from './link-limits.ts';
import { type RecordSink, RecordSplitter } from './record-splitter.ts';
import { SessionLink } from './session-link.ts';
import { StreamRecords } from './stream-records.ts';

export function dialStreamLink(init: DialLinkInit): Promise<SessionLink> {
  const pattern = init.remoteStaticKey === undefined ? PatternCode.xx : PatternCode.ik;
  return new StreamHandshake(init, 'initiator', pattern).run(init);
}

export function acceptStreamLink(init: AcceptLinkInit): Promise<SessionLink> {
  return new StreamHandshake(init, 'responder', undefined).run({});
}

/** `confirming`: the responder of IK has a session, but what it read may be a replay until a record proves otherwise. */
type Phase =
  | { readonly name: 'handshake'; readonly handshake: LinkHandshake | undefined }
  | { readonly name: 'confirming' | 'up'; readonly link: SessionLink }
  | { readonly name: 'failed' };

class StreamHandshake implements ConnectionHandler, RecordSink {
  readonly #init: AcceptLinkInit;
  readonly #role: 'initiator' | 'responder';
  readonly #limits: LinkLimits;
  readonly #splitter = new RecordSplitter(MAX_HANDSHAKE_MESSAGE_BYTES + 1);
  readonly #outcome: HandshakeOutcome;
  #pattern: PatternCode | undefined;
  #phase: Phase = { name: 'handshake', handshake: undefined };

  constructor(init: LinkInit, role: 'initiator' | 'responder', pattern: PatternCode | undefined) {
    this.#init = init;
    this.#role = role;
    this.#pattern = pattern;
    this.#limits = resolveLinkLimits(init.limits);
    const leave = this.#init.gate?.enter((error) => this.#fail(error));
    this.#outcome = new HandshakeOutcome(init, () => leave?.());
  }

  run(dial: Pick<DialLinkInit, 'expectedPeer' | 'remoteStaticKey'>): Promise<SessionLink> {
    if (this.#outcome.settled) return this.#outcome.link;
    try {
      this.#init.connection.start(this);
      if (this.#pattern !== undefined && !this.#outcome.settled) {
        const handshake = this.#begin(this.#pattern, dial);
        this.#send(joinBytes([new Uint8Array([this.#pattern]), handshake.write()]));
      }
    } catch (error) {
      this.#fail(error);
    }
    return this.#outcome.link;
  }

  onBytes(bytes: Uint8Array): void {
    if (this.#phase.name === 'failed') return;
    try {
      this.#splitter.push(bytes, this);
    } catch (error) {
      this.#fail(error);
    }
  }

  onRecord(record: Uint8Array): void {
    const phase = this.#phase;
    switch (phase.name) {
      case 'up':
        return phase.link.receive(record);
      case 'confirming':
        phase.link.confirm(record);
        this.#phase = { name: 'up', link: phase.link };
        return this.#outcome.succeed(phase.link);
      case 'handshake':
        return this.#onMessage(record, phase.handshake);
      case 'failed':
        return;
    }
  }

  onWritable(): void {
    if (this.#phase.name === 'up') this.#phase.link.connectionWritable();
  }

  onClosed(error?: PipevineError): void {
    if (this.#phase.name === 'up') return this.#phase.link.connectionClosed(error);
    const cause = error === undefined ? undefined : { cause: error };
    this.#phase = { name: 'failed' };
    this.#outcome.fail(
      this.#role === 'initiator' && this.#pattern === PatternCode.ik
        ? new PipevineError(
            'protocol',
            'The responder ended a handshake by IK: dial again without its static key.',
            cause,
          )
        : new PipevineError('unreachable', 'The other side closed the connection during the handshake.', cause),
    );
  }

  #begin(pattern: PatternCode, dial: Pick<DialLinkInit, 'expectedPeer' | 'remoteStaticKey'> = {}): LinkHandshake {
    const { identity, crypto, random } = this.#init;
    const { maxRecordBytes } = this.#limits;
    const role = this.#role;
    const handshake = new LinkHandshake({ role, pattern, identity, crypto, random, maxRecordBytes, ...dial });
    this.#pattern = pattern;
    this.#phase = { name: 'handshake', handshake };
    return handshake;
  }

  #onMessage(frame: Uint8Array, begun: LinkHandshake | undefined): void {
    let message = frame;
    let handshake = begun;
    if (handshake === undefined) {
      const pattern = frame[0];
      if (pattern !== PatternCode.xx && pattern !== PatternCode.ik) {
        throw new PipevineError('unsupported', `A handshake began with ${pattern}; expected 0 (XX) or 1 (IK).`);
      }
      handshake = this.#begin(pattern);
      message = frame.subarray(1);
    }
    if (!handshake.read(message)) {
      const isIk = this.#pattern === PatternCode.ik;
      throw new PipevineError(
        isIk ? 'protocol' : 'forged',
        isIk
          ? 'A handshake by IK does not authenticate: the static key is outdated; dial again without it.'
          : 'A handshake message does not authenticate: it was changed, or is no Pipevine handshake.',
      );
    }
    if (!handshake.finished) this.#send(handshake.write());
    if (handshake.finished) this.#finish(handshake);
  }

  #finish(handshake: LinkHandshake): void {
    const session = handshake.session();
    const { connection, identity, clock, random } = this.#init;
    const dialled = this.#role === 'initiator';
    const link = new SessionLink({
      connection,
      port: new StreamRecords(connection, session, this.#limits),
      localPeer: identity.id,
      remotePeer: session.remotePeer,
      remoteStaticKey: session.remoteStaticKey,
      dialled,
      clock,
      random,
      limits: this.#limits,
    });
    this.#splitter.maxBytes = this.#limits.maxRecordBytes + TAG_BYTES;
    if (this.#pattern === PatternCode.ik && !dialled) {
      this.#phase = { name: 'confirming', link };
      return;
    }
    this.#phase = { name: 'up', link };
    if (this.#pattern === PatternCode.ik) link.probe();
    this.#outcome.succeed(link);
  }

  #send(message: Uint8Array): void {
    this.#init.connection.write([new Uint8Array([message.length >>> 8, message.length]), message]);
  }

  #fail(cause: unknown): void {
    const error = handshakeError(cause);
    if (this.#phase.name === 'up') return this.#phase.link.fail(error);
    this.#phase = { name: 'failed' };
    this.#outcome.fail(error);
  }
}
