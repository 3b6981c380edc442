import { PipevineError } from '../error/pipevine-error.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import type { Connection, EndpointAddress } from '../platform/transport.ts';
import { encodeControlFrame } from '../wire/control-frame.ts';
import { MAX_DATA_OVERHEAD_BYTES, writeDataFrame } from '../wire/data-frame.ts';
import { type ControlFrame, FrameType } from '../wire/frame.ts';
import { type FrameSink, readFrames } from '../wire/frame-reader.ts';
import { MAX_CONTROL_FRAMES_PER_RECORD } from '../wire/wire-defaults.ts';
import { KeepAliveState } from './keep-alive-state.ts';
import type { Link, LinkHandler, LinkTraffic } from './link.ts';
import {
  BUSY_MS,
  DATAGRAM_RECORD_OVERHEAD_BYTES,
  LINGER_MS,
  MAX_EARLY_BYTES,
  MAX_QUEUED_BYTES,
  MIN_RECORD_BUFFER_BYTES,
} from './link-defaults.ts';
import type { LinkLimits } from './link-limits.ts';
import { paddingFrame } from './padding-frame.ts';
import { PathMtuState } from './path-mtu-state.ts';
import type { RecordPort } from './record-port.ts';
import { errorFromWire, reasonForWire } from './wire-error.ts';

const REKEY_FRAME = encodeControlFrame({ type: FrameType.rekey });

export interface SessionLinkInit {
  readonly connection: Connection;
  readonly port: RecordPort;
  readonly localPeer: PeerId;
  readonly remotePeer: PeerId;
  readonly remoteStaticKey: Uint8Array;
  readonly dialled: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: LinkLimits;
  /** Datagrams: whether a packet of the connection's full size is known to arrive. Default: true. */
  readonly fullSizeConfirmed?: boolean;
}

/** `opening`: not started. `closing`: this side has said CLOSE and waits for the connection. */
type State = 'opening' | 'open' | 'closing' | 'closed';

/** A link over any connection: queues frames, makes records of them once a turn, and hands over what comes. */
export class SessionLink implements Link {
  readonly localPeer: PeerId;
  readonly remotePeer: PeerId;
  /** The neighbour's static key: give it to `dialLink` the next time to save a round trip. */
  readonly remoteStaticKey: Uint8Array;
  readonly localAddress: EndpointAddress;
  readonly remoteAddress: EndpointAddress;
  readonly dialled: boolean;
  readonly ordered: boolean;
  readonly #connection: Connection;
  readonly #port: RecordPort;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #limits: LinkLimits;
  /** Undefined for a stream. */
  readonly #path: PathMtuState | undefined;
  readonly #keepAlive: KeepAliveState;
  readonly #sink: FrameSink;
  readonly #flush = () => this.#endTurnUnlessBusy();
  #handler: LinkHandler | undefined;
  #state: State = 'opening';
  #timer: Timer | undefined;
  #pathTimer: Timer | undefined;
  /** How the link ended before it was started; told to the handler then. */
  #endedWith: { readonly error: PipevineError | undefined } | undefined;

  /** Plaintext of the record being filled. */
  #buffer: Uint8Array;
  #used = 0;
  #controlFrames = 0;
  #sealedBytes = 0;
  #turnPending = false;
  #transmittedMs = Number.NEGATIVE_INFINITY;
  #blocked = false;
  #callerWaits = false;
  #pongToken: number | undefined;

  /** Records that came before `start`; the first may have been opened already. */
  #early: { readonly bytes: Uint8Array; readonly opened: boolean }[] = [];
  #earlyBytes = 0;
  #rekeyed = false;
  readonly #traffic = { bytesIn: 0, recordsIn: 0, recordsOut: 0, dropped: 0, unknownFrames: 0 };

  constructor(init: SessionLinkInit) {
    this.localPeer = init.localPeer;
    this.remotePeer = init.remotePeer;
    this.remoteStaticKey = init.remoteStaticKey;
    this.localAddress = init.connection.localAddress;
    this.remoteAddress = init.connection.remoteAddress;
    this.dialled = init.dialled;
    this.ordered = init.port.ordered;
    this.#connection = init.connection;
    this.#port = init.port;
    this.#clock = init.clock;
    this.#random = init.random;
    this.#limits = init.limits;
    const { keepAliveMs: intervalMs, keepAliveAttempts: attempts } = init.limits;
    const now = init.clock.monotonicMs();
    this.#keepAlive = new KeepAliveState({ intervalMs, attempts }, now, init.random.fraction());
    this.#path = init.port.ordered
      ? undefined
      : new PathMtuState(
          { maxBytes: init.connection.maxPacketBytes, confirmed: init.fullSizeConfirmed ?? true },
          init.clock.monotonicMs(),
        );
    this.#buffer = new Uint8Array(Math.min(MIN_RECORD_BUFFER_BYTES, this.#maxFramesBytes));
    this.#sink = this.#makeSink();
  }

  /** Over datagrams it grows when larger packets turn out to arrive, and never shrinks. */
  get maxPayloadBytes(): number {
    return this.#maxFramesBytes - MAX_DATA_OVERHEAD_BYTES;
  }

  get rttMs(): number | undefined {
    return this.#keepAlive.rttMs;
  }

  get traffic(): LinkTraffic {
    return { ...this.#traffic, bytesOut: this.#port.bytesOut };
  }

  doubt(): void {
    if (this.#state !== 'open') return;
    this.#keepAlive.doubt(this.#clock.monotonicMs());
    this.#timer?.cancel();
    this.#setTimer();
  }

  start(handler: LinkHandler): void {
    if (this.#handler !== undefined) throw new PipevineError('invalid-argument', 'A link is started only once.');
    this.#handler = handler;
    if (this.#endedWith !== undefined) return handler.onClosed(this.#endedWith.error);
    if (this.#state !== 'opening') return;
    this.#state = 'open';
    this.#ping(this.#keepAlive.ask(this.#clock.monotonicMs()));
    this.#setTimer();
    this.#lookAtPath();
    const early = this.#early;
    this.#early = [];
    for (const { bytes, opened } of early) this.#take(bytes, opened);
    if (this.#isOpen()) this.#connection.resume();
  }

  queueData(channel: number, payload: Uint8Array, sequence: number | undefined, more: boolean): boolean {
    if (this.#state !== 'open') return false;
    const length = payload.length;
    if (length > this.maxPayloadBytes) this.#refuseFrame(length);
    if (this.#used + length + MAX_DATA_OVERHEAD_BYTES > this.#buffer.length) {
      this.#makeRoom(length + MAX_DATA_OVERHEAD_BYTES);
    }
    this.#used = writeDataFrame(this.#buffer, this.#used, channel, payload, sequence, more);
    this.#path?.used();
    return this.#queued();
  }

  queueFrame(frame: ControlFrame): boolean {
    if (this.#state !== 'open') return false;
    this.#append(encodeControlFrame(frame));
    return this.#queued();
  }

  close(code: string, reason: string): void {
    if (this.#state === 'closing' || this.#state === 'closed') return;
    this.#sayClose(code, reason);
    this.#state = 'closing';
    this.#drop();
    this.#closeConnection();
  }

  /** Sends a PING at once, started or not: the record proves to the responder that the handshake is not a replay. */
  probe(): void {
    if (this.#state !== 'opening' && this.#state !== 'open') return;
    this.#append(encodeControlFrame({ type: FrameType.ping, token: this.#keepAlive.ask(this.#clock.monotonicMs()) }));
    this.#transmit();
  }

  /**
   * Opens the first record before `start`, and keeps what is in it. Returns false when it is to be dropped; throws when
   * the connection is beyond repair.
   */
  confirm(record: Uint8Array): boolean {
    const plaintext = this.#port.open(record);
    if (plaintext === undefined) {
      this.#traffic.dropped++;
      return false;
    }
    this.#countIn(record);
    this.#early.push({ bytes: plaintext, opened: true });
    return true;
  }

  /** One sealed record has come. */
  receive(record: Uint8Array): void {
    if (this.#state === 'open') return this.#take(record, false);
    if (this.#state !== 'opening') return;
    this.#earlyBytes += record.length;
    if (this.#earlyBytes <= MAX_EARLY_BYTES) {
      this.#early.push({ bytes: record, opened: false });
    } else if (this.ordered) {
      this.fail(
        new PipevineError('overloaded', `More than ${MAX_EARLY_BYTES} bytes came before the link was started.`),
      );
    } else {
      this.#traffic.dropped++;
    }
  }

  /** Counts a packet that belongs to no record. */
  drop(): void {
    this.#traffic.dropped++;
  }

  connectionWritable(): void {
    this.#blocked = false;
    if (!this.#isOpen()) return;
    this.#answerPing();
    this.#endTurn();
  }

  connectionClosed(error: PipevineError | undefined): void {
    this.#timer?.cancel();
    if (this.#state === 'closing') return this.#end(undefined, 'leave');
    this.#end(
      error ?? new PipevineError('unreachable', 'The connection ended without a word from the other peer.'),
      'leave',
    );
  }

  /** Ends the link for a reason that the other side is told, when it is not too late. */
  fail(error: PipevineError): void {
    if (this.#state === 'closed') return;
    if (this.#state === 'closing') return this.#end(undefined, 'abort');
    this.#sayClose(error.code, error.message);
    this.#end(error, 'close');
  }

  #makeSink(): FrameSink {
    const link = this;
    return {
      get stopped() {
        return link.#state !== 'open' || link.#rekeyed;
      },
      onData(channel, payload, sequence, more) {
        link.#handler?.onData(channel, payload, sequence, more);
      },
      onFrame(frame) {
        link.#onFrame(frame);
      },
      onUnsupportedBind(channel, reason) {
        link.queueFrame({ type: FrameType.unbind, channel, code: 'unsupported', reason });
      },
      onUnknownFrame() {
        link.#traffic.unknownFrames++;
      },
    };
  }

  #take(bytes: Uint8Array, opened: boolean): void {
    if (this.#state !== 'open') return;
    try {
      const plaintext = opened ? bytes : this.#port.open(bytes);
      if (plaintext === undefined) {
        this.#traffic.dropped++;
        this.#connection.decline?.(bytes, false);
        return;
      }
      if (!opened) this.#countIn(bytes);
      const read = readFrames(plaintext, this.#sink);
      if (this.#rekeyed) {
        this.#rekeyed = false;
        if (read < plaintext.length) throw new PipevineError('protocol', 'REKEY must be the last frame of its record.');
        this.#port.rekeyReceive();
      }
      if (!this.#isOpen()) return;
      this.#answerPing();
      this.#handler?.onRecordEnd();
    } catch (cause) {
      this.#traffic.dropped++;
      const internal = () => new PipevineError('internal', `Handling a record failed: ${String(cause)}`, { cause });
      this.fail(cause instanceof PipevineError ? cause : internal());
    }
  }

  #countIn(record: Uint8Array): void {
    this.#traffic.recordsIn++;
    this.#traffic.bytesIn += record.length + (this.ordered ? 2 : 0);
    this.#keepAlive.heard(this.#clock.monotonicMs());
  }

  #onFrame(frame: ControlFrame): void {
    switch (frame.type) {
      case FrameType.ping:
        // Of several in one record only the last is answered, so that nobody can make us say more than they do.
        this.#pongToken = frame.token;
        return;
      case FrameType.pong:
        this.#keepAlive.answered(frame.token, this.#clock.monotonicMs());
        this.#path?.answered(frame.token, this.#clock.monotonicMs());
        return;
      case FrameType.rekey:
        this.#rekeyed = true;
        return;
      case FrameType.close:
        this.#end(errorFromWire(frame.code, frame.reason), 'close');
        return;
      default:
        this.#handler?.onFrame(frame);
    }
  }

  #answerPing(): void {
    if (this.#pongToken === undefined || this.#blocked) return;
    const token = this.#pongToken;
    this.#pongToken = undefined;
    this.queueFrame({ type: FrameType.pong, token });
  }

  get #maxFramesBytes(): number {
    const max = this.#port.maxPlaintextBytes;
    const fitting = this.#path === undefined ? max : this.#path.packetBytes - DATAGRAM_RECORD_OVERHEAD_BYTES;
    return Math.min(max, fitting) - REKEY_FRAME.length;
  }

  /** Sends a record with PING that fills a packet of so many bytes. */
  #probePath(token: number, packetBytes: number): void {
    this.#sealRecord();
    const ping = encodeControlFrame({ type: FrameType.ping, token });
    const length = Math.min(this.#port.maxPlaintextBytes, packetBytes - DATAGRAM_RECORD_OVERHEAD_BYTES);
    const plaintext = new Uint8Array(length);
    plaintext.set(ping);
    plaintext.set(paddingFrame(length - ping.length), ping.length);
    this.#port.seal(plaintext);
    this.#traffic.recordsOut++;
    this.#sealedBytes += length;
    this.#transmit();
  }

  #lookAtPath(): void {
    const path = this.#path;
    if (path === undefined || !this.#isOpen()) return;
    const step = path.step(this.#clock.monotonicMs());
    if (step.do === 'black-hole') {
      const lost = `Packets of ${this.#connection.maxPacketBytes} bytes to ${this.remoteAddress} no longer arrive`;
      return this.fail(new PipevineError('unreachable', `${lost}, smaller ones do: dial again for a link of those.`));
    }
    if (step.do === 'probe' && !this.#blocked) {
      this.#probePath(step.token, step.bytes);
      if (step.compare) this.#ping(step.token + 1);
    }
    const delayMs = Math.max(1, path.nextDeadlineMs - this.#clock.monotonicMs());
    this.#pathTimer = this.#clock.setTimer(delayMs, () => this.#lookAtPath());
  }

  #ping(token: number): void {
    this.queueFrame({ type: FrameType.ping, token });
  }

  /** Appends an encoded control frame to the record being filled. */
  #append(encoded: Uint8Array): void {
    if (encoded.length > this.#maxFramesBytes) this.#refuseFrame(encoded.length);
    if (++this.#controlFrames > MAX_CONTROL_FRAMES_PER_RECORD - 1) {
      this.#sealRecord();
      this.#controlFrames = 1;
    }
    if (this.#used + encoded.length > this.#buffer.length) this.#makeRoom(encoded.length);
    this.#buffer.set(encoded, this.#used);
    this.#used += encoded.length;
  }

  #refuseFrame(bytes: number): never {
    throw new PipevineError(
      'too-large',
      `A frame of ${bytes} bytes was to be sent over a link that takes payloads of ${this.maxPayloadBytes}; send it in parts.`,
    );
  }

  /** What follows after each frame was put into the buffer. */
  #queued(): boolean {
    if (!this.#turnPending) {
      this.#turnPending = true;
      this.#clock.endOfTurn(this.#flush);
    }
    const queued = this.#sealedBytes + this.#used;
    if (!this.#blocked && queued < this.#limits.highWaterBytes) return true;
    this.#callerWaits = true;
    if (queued > Math.max(MAX_QUEUED_BYTES, 4 * this.#limits.highWaterBytes)) {
      this.#end(new PipevineError('overloaded', `The neighbour is too slow: ${queued} bytes wait for it.`), 'abort');
    }
    return false;
  }

  /** Makes room for `bytes` more, by a larger buffer or by sealing what is in it. */
  #makeRoom(bytes: number): void {
    const max = this.#maxFramesBytes;
    if (this.#used + bytes > max) this.#sealRecord();
    if (this.#used + bytes <= this.#buffer.length) return;
    let size = Math.max(this.#buffer.length, MIN_RECORD_BUFFER_BYTES);
    while (size < this.#used + bytes) size *= 2;
    const grown = new Uint8Array(Math.min(size, max));
    grown.set(this.#buffer.subarray(0, this.#used));
    this.#buffer = grown;
  }

  #sealRecord(): void {
    if (this.#used === 0) return;
    const now = this.#clock.monotonicMs();
    let plaintext = this.#buffer.subarray(0, this.#used);
    const rekey = this.#port.keyIsWorn(now);
    if (rekey) {
      plaintext = new Uint8Array(this.#used + REKEY_FRAME.length);
      plaintext.set(this.#buffer.subarray(0, this.#used));
      plaintext.set(REKEY_FRAME, this.#used);
    }
    this.#port.seal(plaintext);
    if (rekey) this.#port.rekeySend(now);
    this.#traffic.recordsOut++;
    this.#sealedBytes += this.#used;
    this.#used = 0;
    this.#controlFrames = 0;
  }

  /** Who sends in turn after turn pays for one record where there would be two: the second turn waits for the third. */
  #endTurnUnlessBusy(): void {
    const sinceMs = this.#clock.monotonicMs() - this.#transmittedMs;
    if (sinceMs < BUSY_MS) this.#clock.setTimer(0, () => this.#endTurn());
    else this.#endTurn();
  }

  #endTurn(): void {
    this.#turnPending = false;
    if (this.#blocked || this.#state !== 'open') return;
    this.#transmit();
    if (this.#blocked || !this.#callerWaits) return;
    this.#callerWaits = false;
    this.#handler?.onWritable();
  }

  #transmit(): void {
    this.#sealRecord();
    if (this.#sealedBytes === 0) return;
    this.#sealedBytes = 0;
    this.#transmittedMs = this.#clock.monotonicMs();
    this.#blocked = !this.#port.transmit();
  }

  #sayClose(code: string, reason: string): void {
    const frame = encodeControlFrame({ type: FrameType.close, code, reason: reasonForWire(reason) });
    const fits = frame.length <= this.#maxFramesBytes;
    this.#append(fits ? frame : encodeControlFrame({ type: FrameType.close, code, reason: '' }));
    this.#transmit();
  }

  #setTimer(): void {
    const delayMs = Math.max(0, this.#keepAlive.nextDeadlineMs - this.#clock.monotonicMs());
    this.#timer = this.#clock.setTimer(delayMs, () => this.#tick());
  }

  #tick(): void {
    const step = this.#keepAlive.step(this.#clock.monotonicMs(), this.#random.fraction());
    if (step.do === 'give-up') {
      const silentMs = Math.round(this.#keepAlive.silentMs(this.#clock.monotonicMs()));
      this.#end(new PipevineError('timeout', `Nothing came from the neighbour for ${silentMs} ms.`), 'abort');
      return;
    }
    if (step.do === 'ping' && !this.#blocked) this.#ping(step.token);
    // A link that was busy once gives its large buffer back.
    if (this.#used === 0 && this.#buffer.length > MIN_RECORD_BUFFER_BYTES) {
      this.#buffer = new Uint8Array(MIN_RECORD_BUFFER_BYTES);
    }
    if (this.#isOpen()) this.#setTimer();
  }

  /** Read anew: a handler may have closed the link meanwhile, which the compiler cannot know. */
  #isOpen(): boolean {
    return this.#state === 'open';
  }

  #end(error: PipevineError | undefined, connection: 'close' | 'abort' | 'leave'): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#drop();
    if (connection === 'close') this.#closeConnection();
    else if (connection === 'abort') this.#connection.abort();
    if (this.#handler !== undefined) this.#handler.onClosed(error);
    else this.#endedWith = { error };
  }

  /** Closes the connection once it is flushed, and cuts it when that takes too long. */
  #closeConnection(): void {
    this.#timer = this.#clock.setTimer(LINGER_MS, () => {
      this.#connection.abort();
      this.#end(undefined, 'leave');
    });
    this.#connection.close();
  }

  /** Lets go of the timer and of all memory: nothing is sent or handed over any more. */
  #drop(): void {
    this.#pathTimer?.cancel();
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#early = [];
    this.#used = 0;
    this.#buffer = new Uint8Array(0);
  }
}
