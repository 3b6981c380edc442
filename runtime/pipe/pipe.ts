import type { PipevineError } from '../error/pipevine-error.ts';
import type { Capability } from '../group/capability.ts';
import type { Credential } from '../group/group-access.ts';
import type { GroupId } from '../id/group-id.ts';
import type { Identity } from '../id/identity.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { PipePath } from './pipe-path.ts';

/**
 * `unicast`: unordered, unacknowledged. `reliable`: ordered, acknowledged, flow-controlled, survives a change of route.
 * `secure`: reliable, and encrypted end to end. `request`: secure, with a reply to each message. `bidirectional`: secure, and
 * agreed that both ends send and both read, as JXTA's bidirectional pipes.
 */
export type PipeKind = 'unicast' | 'reliable' | 'secure' | 'request' | 'bidirectional';

/**
 * Who goes first where pipes meet on a link, for what one end sends. `control`: small and urgent. `bulk`: may take as long
 * as it takes; it keeps the queue in front of a slow path short, so that it adds no more than tens of ms to others.
 */
export type PipePriority = 'control' | 'normal' | 'bulk';

export interface WaitOptions {
  readonly signal?: AbortSignal;
  /** Every wait has a deadline; each method names its default. */
  readonly timeoutMs?: number;
}

/** One end of a bound pipe: messages of bytes both ways. */
export interface Pipe extends AsyncIterable<Uint8Array> {
  readonly kind: PipeKind;
  readonly name: string;
  readonly group: GroupId;
  readonly localPeer: PeerId;
  readonly remotePeer: PeerId;
  /** What the other side showed for the group; undefined in the world group. */
  readonly credential: Credential | undefined;
  /** Whether a link carries it now; false while it waits for a new one. */
  readonly connected: boolean;
  /** Of what this end sends; it may be changed at any time. Default as given to `connect` or `listen`. */
  priority: PipePriority;
  /** How it goes now; undefined while it waits for a link. */
  readonly path: PipePath | undefined;
  /** Cost in bytes of what was sent and not yet acknowledged. */
  readonly bufferedBytes: number;
  /**
   * Queues a message if the window and the buffer have room; the bytes are copied before it returns. Returns false, and
   * takes nothing, when they have not: wait for `send` or `writable()`.
   */
  trySend(message: Uint8Array): boolean;
  /** Resolves once the message is queued; rejects with the pipe's error, `timeout` (default 30 s) or `aborted`. */
  send(message: Uint8Array, options?: WaitOptions): Promise<void>;
  /** Resolves when `trySend` would take a message again. */
  writable(options?: WaitOptions): Promise<void>;
  /** Resolves when the other side has acknowledged all that was sent (unicast: when it was handed to the link). */
  flush(options?: WaitOptions): Promise<void>;
  /**
   * Hands every message to `onMessage`, instead of iteration; the fast way. Flow control counts a message as consumed
   * when `onMessage` returns, or when the promise it returns settles.
   */
  receive(onMessage: (message: Uint8Array) => void | Promise<void>): void;
  /** Settles when the pipe is closed: with undefined in good order, else with the error. Never rejects. */
  readonly closed: Promise<PipevineError | undefined>;
  /** Flushes (at most `timeoutMs`, default 5 s), tells the other side, closes. Idempotent. */
  close(options?: WaitOptions): Promise<void>;
}

/** The client's end of a request pipe. Many requests may be under way at once. */
export interface RequestPipe {
  readonly remotePeer: PeerId;
  readonly credential: Credential | undefined;
  /** Sends a request and waits for its one reply; default deadline 10 s. Rejects with what the handler threw (its code and message). */
  request(body: Uint8Array, options?: WaitOptions): Promise<Uint8Array>;
  /**
   * Sends a request whose reply is a sequence. The deadline (default 10 s) is for the first item or the end; after that
   * it may be silent for ever. Leaving the iteration, or the signal, cancels it at the other side.
   */
  stream(body: Uint8Array, options?: WaitOptions): AsyncIterable<Uint8Array>;
  readonly closed: Promise<PipevineError | undefined>;
  close(options?: WaitOptions): Promise<void>;
}

/** Whom a handler serves. */
export interface RequestContext {
  readonly localPeer: PeerId;
  readonly remotePeer: PeerId;
  readonly group: GroupId;
  readonly credential: Credential | undefined;
  /** Aborted when the client cancels, or the pipe closes. */
  readonly signal: AbortSignal;
}

/** Answers one request: with one reply, or with a sequence. A PipevineError that it throws reaches the client by code and message. */
export type RequestHandler = (
  body: Uint8Array,
  context: RequestContext,
) => Promise<Uint8Array> | AsyncIterable<Uint8Array>;

export interface ListenInit {
  readonly group: GroupId;
  readonly name: string;
  /** `own`: the peer itself is reached under this name. `hosted`: every peer that it hosts. Default own. */
  readonly scope?: 'own' | 'hosted';
  /** Kinds that may bind; default: all. */
  readonly kinds?: readonly PipeKind[];
  /** What the binder's credential must grant; default: nothing beyond membership. */
  readonly capability?: Capability;
  /** Of what accepted pipes send; default normal, for request pipes control. */
  readonly priority?: PipePriority;
}

export interface ConnectInit extends WaitOptions {
  readonly peer: PeerId;
  readonly group: GroupId;
  readonly name: string;
  /** Default secure. */
  readonly kind?: PipeKind;
  /** Of what this end sends; default normal, for request pipes control. */
  readonly priority?: PipePriority;
  /** Who binds; default the peer itself. */
  readonly identity?: Identity;
}

export interface PipeListener {
  /** No new pipe is accepted; bound ones stay. Idempotent. */
  close(): void;
}

/** Binds pipes to other peers, and accepts theirs. */
export interface PipeService {
  /** Throws `busy` when the name is taken. */
  listen(init: ListenInit, onPipe: (pipe: Pipe) => void): PipeListener;
  /**
   * Default deadline 10 s. Rejects with `not-found` (no such name there), `refused`, `unreachable` (when a second of looking for
   * a way was in vain), `timeout`, `wrong-peer` ...
   */
  connect(init: ConnectInit): Promise<Pipe>;
  serve(init: ListenInit, handler: RequestHandler): PipeListener;
  requester(init: Omit<ConnectInit, 'kind'>): Promise<RequestPipe>;
}
