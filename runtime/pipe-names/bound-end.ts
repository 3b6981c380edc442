import type { PipevineError } from '../error/pipevine-error.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Pipe, PipeKind, RequestPipe, WaitOptions } from '../pipe/pipe.ts';

/** A pipe that is bound, of whatever kind, as a named pipe uses it. */
export interface BoundEnd {
  readonly peer: PeerId;
  readonly kind: PipeKind;
  readonly bufferedBytes: number;
  readonly closed: Promise<PipevineError | undefined>;
  send(message: Uint8Array, options: WaitOptions): Promise<void>;
  flush(options?: WaitOptions): Promise<void>;
  close(options?: WaitOptions): Promise<void>;
}

type OnMessage = (message: Uint8Array) => void | Promise<void>;

export function pipeEnd(pipe: Pipe, onMessage: OnMessage): BoundEnd {
  pipe.receive(onMessage);
  return {
    peer: pipe.remotePeer,
    kind: pipe.kind,
    get bufferedBytes() {
      return pipe.bufferedBytes;
    },
    closed: pipe.closed,
    send: (message, options) => pipe.send(message, options),
    flush: (options) => pipe.flush(options),
    close: (options) => pipe.close(options),
  };
}

/** To send is to ask: it is over when the reply has been handed on. */
export function requestEnd(pipe: RequestPipe, onMessage: OnMessage): BoundEnd {
  return {
    peer: pipe.remotePeer,
    kind: 'request',
    bufferedBytes: 0,
    closed: pipe.closed,
    send: async (message, options) => onMessage(await pipe.request(message, options)),
    flush: async () => {},
    close: (options) => pipe.close(options),
  };
}
