import type { PipevineError } from '../error/pipevine-error.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Pipe, PipeKind, PipePriority, RequestHandler, WaitOptions } from '../pipe/pipe.ts';
import type { PropagatePipe } from '../propagate/propagate-pipe.ts';

/** Kinds of pipes that have names in a group. */
export const NAMED_PIPE_KINDS = ['unicast', 'reliable', 'secure', 'bidirectional', 'request', 'propagate'] as const;
export type NamedPipeKind = PipeKind | 'propagate';

/** Kinds whose pipes are accepted one by one. */
export type ListenedPipeKind = Exclude<PipeKind, 'request'>;

/** Somebody listens under a name, says its advertisement. */
export interface FoundPipe {
  readonly name: string;
  readonly kind: NamedPipeKind;
  readonly peer: PeerId;
}

export interface PipeSearch {
  readonly name?: string;
  readonly kind?: NamedPipeKind;
  readonly peer?: PeerId;
}

/** A name that nobody has is looked for again for 2 s, or `timeoutMs` if that is less, before it is `not-found`. */
export interface OpenPipeInit extends WaitOptions {
  readonly name: string;
  /** Default: the only peer that listens under the name. */
  readonly peer?: PeerId;
  /** Default: as advertised; `secure` where nothing is. Propagate pipes are opened by `propagate`. */
  readonly kind?: PipeKind;
  /** Of what this end sends; default normal, for request pipes control. */
  readonly priority?: PipePriority;
  /** Whether the name is found and bound anew when the listener is gone; default true. */
  readonly keep?: boolean;
  readonly onNotice?: (notice: NamedPipeNotice) => void;
}

export type NamedPipeNotice =
  | { readonly type: 'bound'; readonly peer: PeerId; readonly kind: PipeKind }
  /** What was not acknowledged may have come, or be lost; it is not sent again. */
  | {
      readonly type: 'interrupted';
      readonly peer: PeerId;
      readonly error: PipevineError | undefined;
      readonly unacknowledgedBytes: number;
    };

/** A pipe to whoever listens under a name, though it moves to another peer or restarts. */
export interface NamedPipe {
  readonly name: string;
  readonly kind: PipeKind;
  /** Who listens, or did last. */
  readonly peer: PeerId;
  /**
   * Resolves once the message is queued on a bound pipe (of kind request: once the reply has come, which `receive` gets).
   * Rejects with what the pipe, or a search that is not to go on, came to; `timeout` (default 30 s); `aborted`.
   */
  send(message: Uint8Array, options?: WaitOptions): Promise<void>;
  /** What comes back: messages, or of kind request the replies. */
  receive(onMessage: (message: Uint8Array) => void | Promise<void>): void;
  /** Resolves when the other side has acknowledged what was sent on the pipe that is bound now. */
  flush(options?: WaitOptions): Promise<void>;
  /** Settles when it is closed for good. Never rejects. */
  readonly closed: Promise<PipevineError | undefined>;
  /** Flushes as Pipe.close does. Idempotent. */
  close(options?: WaitOptions): Promise<void>;
}

export interface NamedListener {
  /** No new pipe is accepted, and the advertisement is withdrawn. Idempotent. */
  close(): Promise<void>;
}

/** Pipes of one group by name: who listens advertises it, who opens finds it. */
export interface NamedPipes {
  /**
   * Accepts pipes of one kind (default secure), and advertises it. Rejects with `refused` without the capability
   * `publish`, `busy`, `invalid-argument`, `overloaded`.
   */
  listen(
    init: { readonly name: string; readonly kind?: ListenedPipeKind; readonly priority?: PipePriority },
    onPipe: (pipe: Pipe) => void,
  ): Promise<NamedListener>;
  serve(init: { readonly name: string }, handler: RequestHandler): Promise<NamedListener>;
  /**
   * Opens a propagate pipe; with `listed` it is advertised, so that others see that there is somebody, unless this peer
   * may not publish.
   */
  propagate(name: string, options?: { readonly listed?: boolean }): Promise<PropagatePipe>;
  /** Who listens, as far as is known and neighbours answer (default 2 s). Each peer and name once. */
  find(search?: PipeSearch, options?: WaitOptions): AsyncIterable<FoundPipe>;
  /**
   * Finds who listens under a name, and binds a pipe to it. Rejects with `not-found`, `ambiguous` (naming the peers), or
   * as PipeService.connect does.
   */
  open(init: OpenPipeInit): Promise<NamedPipe>;
}
