import { type NamedPipe, type Peer, type PeerGroup, PipevineError, type PropagatePipe } from '@pipevine/runtime';
import { InTurn } from '../node/in-turn.ts';
import { memberNamed } from '../node/member-named.ts';
import { pipevineFailure } from '../node/pipevine-failure.ts';
import type { FlowPipeKind } from './flow-pipe-kind.ts';
import { PathWatch } from './path-watch.ts';

/** Pipes that one node holds; the one used least recently is closed for another. */
const MAX_OPEN = 64;
const OPEN_TIMEOUT_MS = 10_000;
/** A pipe whose listener is gone looks for it meanwhile. */
const SEND_TIMEOUT_MS = 5_000;
const ACKNOWLEDGE_TIMEOUT_MS = 15_000;
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

export interface OpenPipesInit {
  readonly group: PeerGroup;
  /** Whose group it is. */
  readonly peer: Pick<Peer, 'explain'>;
  /** A pipe that nobody heard goes on: what could not be sent can be tried again. */
  onBack(): void;
}

/** The pipes of one node in one group, by target. They are opened when first needed, and found anew by themselves. */
export class OpenPipes {
  readonly #init: OpenPipesInit;
  readonly #ways = new Map<string, Promise<Way>>();

  constructor(init: OpenPipesInit) {
    this.#init = init;
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
    const way = openWay(this.#init, target, forget);
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

async function openWay(init: OpenPipesInit, target: PipeTarget, onEnd: () => void): Promise<Way> {
  const { group } = init;
  const { pipe: name, kind } = target;
  if (kind === 'propagate') return propagateWay(await group.namedPipes.propagate(name));
  const peer = target.peer === undefined ? undefined : await memberNamed(group, target.peer);
  const bindings = new Bindings();
  const pipe = await group.namedPipes.open({
    ...{ name, kind, timeoutMs: OPEN_TIMEOUT_MS },
    ...(peer !== undefined && { peer }),
    onNotice: ({ type }) => bindings.onNotice(type),
  });
  void pipe.closed.then(onEnd);
  return boundWay(pipe, bindings, init);
}

/** Which binding of a named pipe carries what is sent: what one has not acknowledged, the next knows nothing of. */
class Bindings {
  #number = 0;
  #lost = false;

  /** Undefined while there is none. */
  get current(): number | undefined {
    return this.#lost ? undefined : this.#number;
  }

  onNotice(type: 'bound' | 'interrupted'): void {
    this.#lost = type === 'interrupted';
    if (type === 'bound') this.#number++;
  }
}

function propagateWay(pipe: PropagatePipe): Way {
  return {
    send: async (message, signal) => void (await pipe.send(message, { signal })),
    close: async () => pipe.close(),
  };
}

function boundWay(pipe: NamedPipe, bindings: Bindings, { group, peer, onBack }: OpenPipesInit): Way {
  const turns = new InTurn();
  const acknowledged = flushed(pipe);
  const watch = new PathWatch({
    hasPath: () =>
      peer
        .explain(pipe.peer)
        .pipes.some((one) => one.group === group.id && one.name === pipe.name && one.path !== undefined),
    onBack,
  });
  void pipe.closed.then(() => watch.end());
  return {
    send: async (message, signal) => {
      const binding = await turns.run(async () => {
        // A pipe would keep it, and bring it whenever its listener is back: that is for the offline setting to decide.
        if (watch.isAway)
          throw new PipevineError('unreachable', `Who listens under "${pipe.name}" is out of reach now.`);
        try {
          await pipe.send(message, { signal, timeoutMs: SEND_TIMEOUT_MS });
        } catch (cause) {
          throw notSent(pipe.name, cause);
        }
        return bindings.current;
      });
      await acknowledged();
      if (binding !== undefined && binding === bindings.current) return;
      throw new PipevineError('closed', `The pipe "${pipe.name}" broke before the message was acknowledged.`);
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
