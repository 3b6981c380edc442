import type { PeerId, Pipe, PipeKind, PipevineError, RequestHandler, WaitOptions } from '@pipevine/runtime';

export const PIPE_KINDS = ['unicast', 'reliable', 'secure', 'request', 'propagate'] as const;
export type NamedPipeKind = (typeof PIPE_KINDS)[number];

/** Who listens under a name. */
export interface FoundPipe {
  readonly name: string;
  readonly kind: NamedPipeKind;
  readonly peer: PeerId;
}

export type PipeNotice =
  | { readonly type: 'bound'; readonly peer: PeerId; readonly kind: PipeKind }
  | {
      readonly type: 'interrupted';
      readonly peer: PeerId;
      readonly error: PipevineError | undefined;
      readonly unacknowledgedBytes: number;
    };

/** A pipe to whoever listens under a name. */
export interface OutgoingPipe {
  readonly kind: PipeKind;
  readonly peer: PeerId;
  send(message: Uint8Array, options?: WaitOptions): Promise<void>;
  receive(onMessage: (message: Uint8Array) => void | Promise<void>): void;
  flush(options?: WaitOptions): Promise<void>;
  readonly closed: Promise<PipevineError | undefined>;
  close(options?: WaitOptions): Promise<void>;
}

export interface GroupPropagatePipe {
  send(message: Uint8Array, options?: WaitOptions): Promise<number>;
  receive(onMessage: (message: { readonly from: PeerId; readonly bytes: Uint8Array }) => void | Promise<void>): void;
  close(): void;
}

/** What the commands about pipes need of a group: its pipes by name. */
export interface GroupPipes {
  listen(
    init: { readonly name: string; readonly kind: 'unicast' | 'reliable' | 'secure' },
    onPipe: (pipe: Pipe) => void,
  ): Promise<{ close(): Promise<void> }>;
  serve(init: { readonly name: string }, handler: RequestHandler): Promise<{ close(): Promise<void> }>;
  propagate(name: string, options?: { readonly listed?: boolean }): Promise<GroupPropagatePipe>;
  find(search?: { readonly name?: string }, options?: WaitOptions): AsyncIterable<FoundPipe>;
  open(
    init: WaitOptions & {
      readonly name: string;
      readonly peer?: PeerId;
      readonly kind?: PipeKind;
      readonly keep?: boolean;
      readonly onNotice?: (notice: PipeNotice) => void;
    },
  ): Promise<OutgoingPipe>;
}
