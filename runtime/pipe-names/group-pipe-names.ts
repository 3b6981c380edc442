import { pause } from '../endpoint/pause.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { checkCapability } from '../group/access.ts';
import { may } from '../group/capability.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import type { PeerGroup } from '../peer/peer.ts';
import { requirePipeName } from '../pipe/listeners.ts';
import type { Pipe, PipeKind, PipePriority, RequestHandler, WaitOptions } from '../pipe/pipe.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import type { PropagatePipe } from '../propagate/propagate-pipe.ts';
import { type BoundEnd, pipeEnd, requestEnd } from './bound-end.ts';
import type {
  FoundPipe,
  ListenedPipeKind,
  NamedListener,
  NamedPipe,
  NamedPipeKind,
  NamedPipes,
  OpenPipeInit,
  PipeSearch,
} from './named-pipes.ts';
import { foundPipe, pipeAdvertisementInit } from './pipe-advertisement.ts';
import {
  FIND_AGAIN_MS,
  FIND_PAUSE_MS,
  FIND_TIMEOUT_MS,
  MAX_FOUND,
  MAX_LISTENED,
  MAX_TRIED,
  PIPE_REFRESH_MS,
} from './pipe-names-defaults.ts';
import { RebindingPipe } from './rebinding-pipe.ts';

export interface GroupPipeNamesInit {
  readonly group: Pick<
    PeerGroup,
    'credential' | 'publish' | 'withdraw' | 'discover' | 'listen' | 'connect' | 'serve' | 'requester'
  >;
  readonly clock: Clock;
  readonly random: Random;
  /** Opens a propagate pipe; absent in a peer without that part. */
  readonly openPropagate?: (name: string) => PropagatePipe;
  /** An advertisement could not be published anew. Default: dropped; another attempt follows by itself. */
  readonly onError?: (error: PipevineError) => void;
}

interface Listed {
  readonly kind: NamedPipeKind;
  uses: number;
}

type ConnectOptions = WaitOptions & { readonly priority?: PipePriority };
type OnMessage = (message: Uint8Array) => void | Promise<void>;

/** The names of one group's pipes. */
export class GroupPipeNames implements NamedPipes {
  readonly #init: GroupPipeNamesInit;
  readonly #listed = new Map<string, Listed>();
  #refresh: Timer | undefined;

  constructor(init: GroupPipeNamesInit) {
    this.#init = init;
  }

  async listen(
    init: { readonly name: string; readonly kind?: ListenedPipeKind; readonly priority?: PipePriority },
    onPipe: (pipe: Pipe) => void,
  ): Promise<NamedListener> {
    const { name, kind = 'secure', priority = 'normal' } = init;
    this.#checkMayPublish(name);
    this.#checkRoom(name, kind);
    const listener = this.#init.group.listen({ name, kinds: [kind], priority }, onPipe);
    return this.#announced(name, kind, () => listener.close());
  }

  async serve({ name }: { readonly name: string }, handler: RequestHandler): Promise<NamedListener> {
    this.#checkMayPublish(name);
    this.#checkRoom(name, 'request');
    const listener = this.#init.group.serve({ name }, handler);
    return this.#announced(name, 'request', () => listener.close());
  }

  async propagate(name: string, options: { readonly listed?: boolean } = {}): Promise<PropagatePipe> {
    const { openPropagate } = this.#init;
    if (openPropagate === undefined) {
      throw new PipevineError('unsupported', 'This peer was assembled without propagate pipes.');
    }
    if (options.listed !== true || !this.#mayPublish) return openPropagate(name);
    this.#checkRoom(name, 'propagate');
    const pipe = openPropagate(name);
    const listing = await this.#announced(name, 'propagate', () => pipe.close());
    return {
      name,
      get dropped() {
        return pipe.dropped;
      },
      send: (message, sending) => pipe.send(message, sending),
      receive: (onMessage) => pipe.receive(onMessage),
      close: () => void listing.close().catch((error: unknown) => this.#tell(error)),
    };
  }

  async *find(search: PipeSearch = {}, options: WaitOptions = {}): AsyncGenerator<FoundPipe> {
    const { name, kind, peer } = search;
    const query = {
      kind: 'pipe',
      ...(peer !== undefined && { publisher: peer }),
      // A key is looked for as it is written; in names an asterisk stands for others.
      ...(name !== undefined && { key: name, limit: MAX_FOUND }),
      ...(kind !== undefined && { attributes: { kind } }),
    } as const;
    for await (const advertisement of this.#init.group.discover(query, { timeoutMs: FIND_TIMEOUT_MS, ...options })) {
      const found = foundPipe(advertisement);
      if (found !== undefined && (name === undefined || found.name === name)) yield found;
    }
  }

  async open(init: OpenPipeInit): Promise<NamedPipe> {
    const { name, keep = true, onNotice = () => {}, timeoutMs, signal } = init;
    requirePipeName(name);
    const { clock, random } = this.#init;
    // The caller's deadline is for the first time.
    let wait: WaitOptions = { ...(timeoutMs !== undefined && { timeoutMs }), ...(signal && { signal }) };
    return RebindingPipe.open({
      name,
      keep,
      clock,
      random,
      onNotice,
      bind: async (former, onMessage) => {
        const options = wait;
        wait = {};
        return this.#bind(init, former, onMessage, options);
      },
    });
  }

  /** Listeners are closed by whoever has them; what is published runs out. */
  close(): void {
    this.#refresh?.cancel();
    this.#refresh = undefined;
    this.#listed.clear();
  }

  async #bind(
    init: OpenPipeInit,
    former: PeerId | undefined,
    onMessage: OnMessage,
    wait: WaitOptions,
  ): Promise<BoundEnd> {
    const { name, priority } = init;
    const options: ConnectOptions = { ...wait, ...(priority !== undefined && { priority }) };
    let found: FoundPipe[] = [];
    const search = { name, ...(init.peer && { peer: init.peer }), ...(init.kind && { kind: init.kind }) };
    if (init.peer === undefined || init.kind === undefined) {
      // Where there are others to try, or other attempts follow, one look is enough.
      const isLookedForAgain = init.peer === undefined && former === undefined;
      const forMs = isLookedForAgain ? Math.min(FIND_AGAIN_MS, wait.timeoutMs ?? Infinity) : 0;
      found = await this.#look(search, forMs, options.signal);
    }
    if (found.length > 0 && found.every(({ kind }) => kind === 'propagate')) {
      throw new PipevineError('invalid-argument', `"${name}" is a propagate pipe, which is not bound to one peer.`);
    }
    const bindable = found.flatMap(({ peer, kind }) => (kind === 'propagate' ? [] : [{ peer, kind }]));
    if (bindable.length === 0 && init.peer !== undefined) {
      bindable.push({ peer: init.peer, kind: init.kind ?? 'secure' });
    }
    const [only] = bindable;
    if (only === undefined) {
      const kind = init.kind === undefined ? '' : ` with kind ${init.kind}`;
      throw new PipevineError('not-found', `Nobody in reach listens under "${name}"${kind} in this group.`);
    }
    if (bindable.length === 1) return this.#connect(name, only.peer, only.kind, onMessage, options);
    return this.#bindOne(name, bindable, former, onMessage, options);
  }

  /** Who listens, says what is found; if nobody, another look is taken for so long. Rejects with `aborted`. */
  async #look(search: PipeSearch, forMs: number, signal: AbortSignal | undefined): Promise<FoundPipe[]> {
    const { clock } = this.#init;
    const untilMs = clock.monotonicMs() + forMs;
    for (let pauseMs = FIND_PAUSE_MS; ; pauseMs *= 2) {
      const found: FoundPipe[] = [];
      for await (const one of this.find(search, signal ? { signal } : {})) found.push(one);
      const leftMs = untilMs - clock.monotonicMs();
      if (found.length > 0 || leftMs <= 0) return found;
      await pause(clock, Math.min(pauseMs, leftMs), signal);
    }
  }

  /** Several say that they listen; some may be gone. Whoever listened before is taken first, else the only one that answers. */
  async #bindOne(
    name: string,
    candidates: readonly { readonly peer: PeerId; readonly kind: PipeKind }[],
    former: PeerId | undefined,
    onMessage: OnMessage,
    options: ConnectOptions,
  ): Promise<BoundEnd> {
    const before = candidates.find(({ peer }) => peer === former);
    if (before !== undefined) {
      const end = this.#connect(name, before.peer, before.kind, onMessage, options);
      const bound = await end.catch((error: unknown) => this.#ignored(error));
      if (bound !== undefined) return bound;
    }
    let last: unknown;
    const tried = candidates
      .filter((one) => one !== before)
      .slice(0, MAX_TRIED)
      .map(({ peer, kind }) =>
        this.#connect(name, peer, kind, onMessage, options).catch((error: unknown) => {
          last = error;
          return this.#ignored(error);
        }),
      );
    const ends = (await Promise.all(tried)).filter((end) => end !== undefined);
    const [only] = ends;
    if (ends.length === 1 && only !== undefined) return only;
    await Promise.all(ends.map((end) => end.close({ timeoutMs: 0 })));
    if (ends.length === 0) throw last ?? new PipevineError('not-found', `Nobody listens under "${name}" any more.`);
    const peers = ends.map(({ peer }) => shortPeerId(peer)).join(', ');
    throw new PipevineError('ambiguous', `${ends.length} peers listen under "${name}": ${peers}; choose one.`);
  }

  async #connect(
    name: string,
    peer: PeerId,
    kind: PipeKind,
    onMessage: OnMessage,
    options: ConnectOptions,
  ): Promise<BoundEnd> {
    const { group } = this.#init;
    return kind === 'request'
      ? requestEnd(await group.requester({ peer, name, ...options }), onMessage)
      : pipeEnd(await group.connect({ peer, name, kind, ...options }), onMessage);
  }

  /** What a member advertises that may not publish, nobody takes: it would listen for nobody. */
  get #mayPublish(): boolean {
    const { credential } = this.#init.group;
    return credential === undefined || may(credential, 'publish');
  }

  #checkMayPublish(name: string): void {
    const { credential } = this.#init.group;
    if (credential === undefined) return;
    checkCapability('publish', `listening under "${name}"`, credential.subject, credential);
  }

  #checkRoom(name: string, kind: NamedPipeKind): void {
    const listed = this.#listed.get(name);
    if (listed !== undefined && (listed.kind !== kind || kind !== 'propagate')) {
      throw new PipevineError('busy', `This peer listens under "${name}" already, for pipes of kind ${listed.kind}.`);
    }
    if (listed === undefined && this.#listed.size >= MAX_LISTENED) {
      throw new PipevineError('overloaded', `This peer listens under ${MAX_LISTENED} names, its limit; close some.`);
    }
  }

  /** Publishes, until the listener is closed; `end` is called in any case. */
  async #announced(name: string, kind: NamedPipeKind, end: () => void): Promise<NamedListener> {
    const { group } = this.#init;
    const listed = this.#listed.get(name) ?? { kind, uses: 0 };
    listed.uses++;
    this.#listed.set(name, listed);
    let closing: Promise<void> | undefined;
    const close = async () => {
      end();
      if (--listed.uses > 0 || this.#listed.get(name) !== listed) return;
      this.#listed.delete(name);
      await group.withdraw({ kind: 'pipe', key: name });
    };
    try {
      if (listed.uses === 1) await group.publish(pipeAdvertisementInit(name, kind));
    } catch (error) {
      end();
      if (--listed.uses === 0) this.#listed.delete(name);
      throw error;
    }
    this.#refresh ??= this.#refreshLater();
    return {
      close: () => {
        closing ??= close();
        return closing;
      },
    };
  }

  #refreshLater(): Timer {
    const { clock, random, group } = this.#init;
    return clock.setTimer(PIPE_REFRESH_MS * (0.75 + random.fraction() / 4), () => {
      this.#refresh = this.#listed.size === 0 ? undefined : this.#refreshLater();
      for (const [name, { kind }] of this.#listed) {
        group.publish(pipeAdvertisementInit(name, kind)).catch((error: unknown) => this.#tell(error));
      }
    });
  }

  #tell(error: unknown): void {
    if (!(error instanceof PipevineError)) throw error;
    this.#init.onError?.(error);
  }

  #ignored(error: unknown): undefined {
    if (!(error instanceof PipevineError)) throw error;
    return undefined;
  }
}
