import { type NamedPipe, type PeerGroup, PipevineError, type PropagatePipe } from '@pipevine/runtime';
import { InTurn } from '../node/in-turn.ts';
import { memberNamed } from '../node/member-named.ts';
import { pipevineFailure } from '../node/pipevine-failure.ts';
import type { FlowPipeKind } from './flow-pipe-kind.ts';

/** Pipes that one node holds; the one used least recently is closed for another. */
const MAX_OPEN = 64;
const OPEN_TIMEOUT_MS = 10_000;
/** A pipe whose listener is gone looks for it meanwhile. */
const SEND_TIMEOUT_MS = 5_000;
const ACKNOWLEDGE_TIMEOUT_MS = 15_000;
const MAX_REFUSALS = 3;
const REFUSED_RETRY_MS = 700;
const CLOSE_TIMEOUT_MS = 3_000;

export interface PipeTarget {
  readonly pipe: string;
  readonly kind: FlowPipeKind;
  /** Id or name; undefined: the only one that listens under the name. */
  readonly peer: string | undefined;
}

interface Way {
  /** Resolves when it has come, as far as the kind can tell. `unreachable`: it was not sent. */
  send(message: Uint8Array, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** The pipes of one node in one group, by target. They are opened when first needed, and found anew by themselves. */
export class OpenPipes {
  readonly #group: PeerGroup;
  readonly #ways = new Map<string, Promise<Way>>();

  constructor(group: PeerGroup) {
    this.#group = group;
  }

  /** Rejects with `not-found` or `unreachable` when nobody took it; with another code when it may have come. */
  async send(target: PipeTarget, message: Uint8Array, signal: AbortSignal): Promise<void> {
    const way = await this.#way(target);
    await way.send(message, signal);
  }

  async close(): Promise<void> {
    const ways = [...this.#ways.values()];
    this.#ways.clear();
    await Promise.all(ways.map((way) => way.then((open) => open.close()).catch(() => {})));
  }

  #way(target: PipeTarget): Promise<Way> {
    const key = JSON.stringify([target.kind, target.pipe, target.peer]);
    const before = this.#ways.get(key);
    if (before !== undefined) {
      // The map is in the order of use.
      this.#ways.delete(key);
      this.#ways.set(key, before);
      return before;
    }
    const forget = () => {
      if (this.#ways.get(key) === way) this.#ways.delete(key);
    };
    const way = openWay(this.#group, target, forget);
    way.catch(forget);
    this.#ways.set(key, way);
    const [oldest] = this.#ways;
    if (this.#ways.size > MAX_OPEN && oldest !== undefined) {
      this.#ways.delete(oldest[0]);
      oldest[1].then((open) => open.close()).catch(() => {});
    }
    return way;
  }
}

async function openWay(group: PeerGroup, target: PipeTarget, onEnd: () => void): Promise<Way> {
  const { pipe: name, kind } = target;
  if (kind === 'propagate') return propagateWay(await group.namedPipes.propagate(name));
  const peer = target.peer === undefined ? undefined : await memberNamed(group, target.peer);
  const pipe = await opened(() =>
    group.namedPipes.open({ name, kind, ...(peer !== undefined && { peer }), timeoutMs: OPEN_TIMEOUT_MS }),
  );
  void pipe.closed.then(onEnd);
  return boundWay(pipe);
}

/** A relay refuses a peer whose credential has not come yet, as just after a start. Who means it refuses again. */
async function opened(open: () => Promise<NamedPipe>): Promise<NamedPipe> {
  for (let attempts = 1; ; attempts++) {
    try {
      return await open();
    } catch (error) {
      if (pipevineFailure(error).code !== 'refused' || attempts === MAX_REFUSALS) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, REFUSED_RETRY_MS));
  }
}

function propagateWay(pipe: PropagatePipe): Way {
  return {
    send: async (message, signal) => void (await pipe.send(message, { signal })),
    close: async () => pipe.close(),
  };
}

function boundWay(pipe: NamedPipe): Way {
  const turns = new InTurn();
  const acknowledged = flushed(pipe);
  return {
    send: async (message, signal) => {
      await turns.run(async () => {
        try {
          await pipe.send(message, { signal, timeoutMs: SEND_TIMEOUT_MS });
        } catch (cause) {
          throw notSent(pipe.name, cause);
        }
      });
      await acknowledged();
    },
    close: () => pipe.close({ timeoutMs: CLOSE_TIMEOUT_MS }),
  };
}

/** One wait for all that were sent before it; those that come meanwhile share the next. */
function flushed(pipe: NamedPipe): () => Promise<void> {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const flush = () => {
    const started = pipe.flush({ timeoutMs: ACKNOWLEDGE_TIMEOUT_MS });
    running = started.finally(() => {
      running = undefined;
    });
    running.catch(() => {});
    return started;
  };
  return () => {
    if (running === undefined) return flush();
    next ??= running
      .catch(() => {})
      .then(() => {
        next = undefined;
        return flush();
      });
    return next;
  };
}

/** A message that no pipe has queued cannot have come. */
function notSent(name: string, cause: unknown): PipevineError {
  const { code, message } = pipevineFailure(cause);
  if (code !== 'timeout' && code !== 'closed') return pipevineFailure(cause);
  return new PipevineError('unreachable', `Nobody takes messages of the pipe "${name}" now: ${message}`, { cause });
}
