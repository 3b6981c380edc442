import { abortable } from '../endpoint/abortable.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { Groups, GroupsChange } from '../group/groups.ts';
import type { Identity } from '../id/identity.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { WaitOptions } from '../pipe/pipe.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { AeadKey, Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import type { Storage } from '../platform/storage.ts';
import type { GroupResolver } from '../resolver/resolver.ts';
import { EpochExchange } from './epoch-exchange.ts';
import { EpochKeys } from './epoch-keys.ts';
import { EpochMaker } from './epoch-maker.ts';
import { EpochView } from './epoch-view.ts';
import {
  ASK_AGAIN_MS,
  ASK_SPREAD_MS,
  MAX_ASK_AGAIN_MS,
  MAX_KEYS,
  SEND_PAUSE_MS,
  SEND_TIMEOUT_MS,
} from './propagate-defaults.ts';

export interface GroupEpochsInit {
  readonly identity: Identity;
  readonly resolver: GroupResolver;
  readonly groups: Pick<
    Groups,
    'statements' | 'isRevoked' | 'mayAdmit' | 'publish' | 'receive' | 'verify' | 'subscribe' | 'membership'
  >;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
  readonly crypto: Crypto;
  /** A key is there that was not. */
  readonly onKey: () => void;
  /** A key could not be made or kept; another attempt follows by itself. */
  readonly onError: (error: PipevineError) => void;
}

/** What this peer seals with now. */
export interface SealingKey {
  readonly number: number;
  readonly keyHash: Uint8Array;
  readonly key: AeadKey;
}

/** The keys of one group, epoch after epoch: which counts, where to get it, and for administrators when to make the next. */
export class GroupEpochs {
  readonly #init: GroupEpochsInit;
  readonly #view: EpochView;
  readonly #keys: EpochKeys;
  readonly #maker: EpochMaker;
  readonly #exchange: EpochExchange;
  readonly #unsubscribe: () => void;
  readonly #closing = new AbortController();
  #asking: Promise<boolean> | undefined;
  #likely: readonly PeerId[] = [];
  #failures = 0;
  #again: Timer | undefined;
  #inUse = false;

  constructor(init: GroupEpochsInit) {
    this.#init = init;
    const { resolver, groups } = init;
    const { group } = resolver;
    this.#view = new EpochView(group, groups);
    this.#keys = new EpochKeys({ ...init, group });
    const shared = { ...init, group, view: this.#view, keys: this.#keys };
    this.#maker = new EpochMaker(shared);
    this.#exchange = new EpochExchange({
      ...shared,
      obtain: () => this.#obtain(),
      onKey: () => this.#settle(),
    });
    this.#settle();
    this.#unsubscribe = groups.subscribe((change) => {
      if (change.group === group) this.#onChange(change);
    });
  }

  /** Number of the epoch that counts; 0 before the first. */
  get number(): number {
    return this.#view.current?.number ?? 0;
  }

  /** From now on keys are got as they are announced. */
  use(): void {
    this.#inUse = true;
    this.want();
  }

  /** What `sender` sealed with in the epoch of this key; undefined when the key is not, or no longer, held. */
  opener(keyId: string, sender: PeerId): AeadKey | undefined {
    return this.#keys.sender(keyId, sender);
  }

  /**
   * The key of the epoch that counts, got or made if need be. Rejects with `unreachable` when nobody in reach has it,
   * `timeout` (default 30 s) or `aborted`.
   */
  async sealer({ timeoutMs = SEND_TIMEOUT_MS, signal }: WaitOptions = {}): Promise<SealingKey> {
    const { clock, identity } = this.#init;
    const untilMs = clock.monotonicMs() + timeoutMs;
    for (;;) {
      const { current } = this.#view;
      const key = current && this.#keys.sender(current.keyId, identity.id);
      if (current !== undefined && key !== undefined) return { number: current.number, keyHash: current.keyHash, key };
      if (this.#closing.signal.aborted) throw new PipevineError('closed', 'The peer has left the group or is closed.');
      const leftMs = untilMs - clock.monotonicMs();
      if (leftMs <= 0) {
        throw new PipevineError(
          'unreachable',
          `Nobody in reach has the group's key for propagate pipes (epoch ${this.number}); any member that has it, or an administrator, must be online.`,
        );
      }
      const step = this.#again === undefined ? this.#get() : this.#pause(SEND_PAUSE_MS);
      await abortable(step, clock, { timeoutMs: leftMs, ...(signal && { signal }) }, 'the key of the group').catch(
        (error: unknown) => {
          if (!(error instanceof PipevineError) || error.code !== 'timeout') throw error;
        },
      );
    }
  }

  /** Sees to it that the key of the epoch that counts comes, now or after a pause. */
  want(): void {
    if (this.#again === undefined && !this.#hasCurrent()) void this.#get();
  }

  status() {
    const { given, refused, bad } = this.#exchange.counters;
    return {
      'epoch keys': { used: this.#keys.size, limit: MAX_KEYS, dropped: 0 },
      'epoch keys given': { used: given, limit: 0, dropped: refused },
      'epoch keys refused': { used: 0, limit: 0, dropped: bad },
      'epochs made': { used: this.#maker.made, limit: 0, dropped: 0 },
    };
  }

  close(): void {
    this.#closing.abort();
    this.#unsubscribe();
    this.#again?.cancel();
    this.#maker.close();
    this.#exchange.close();
    this.#keys.close();
  }

  #onChange(change: GroupsChange): void {
    if (change.change === 'resigned') {
      this.#keys.forget();
      return;
    }
    this.#view.changed();
    this.#maker.onChange(change);
    if (change.statement?.type !== 'epoch' && change.change !== 'revocations') return;
    this.#settle();
    this.#failures = 0;
    this.#likely = [
      ...(change.from === undefined ? [] : [change.from]),
      ...(this.#view.current ? [this.#view.current.issuer] : []),
    ];
    // Administrators hold each key, to be asked for it.
    if ((this.#inUse || (this.#maker.mayMake && this.number > 0)) && !this.#hasCurrent()) this.#later(ASK_SPREAD_MS);
  }

  #hasCurrent(): boolean {
    const { current } = this.#view;
    return current !== undefined && this.#keys.has(current.keyId);
  }

  #settle(): void {
    this.#keys.retireAllBut(this.#view.current?.keyId);
    if (!this.#hasCurrent()) return;
    this.#failures = 0;
    this.#again?.cancel();
    this.#again = undefined;
    this.#init.onKey();
  }

  /** Asks; an administrator whom nobody answers makes the next epoch. What fails is tried again after a pause. */
  async #get(): Promise<void> {
    const found = await this.#obtain().then(
      () => true,
      (error: unknown) => {
        if (!(error instanceof PipevineError)) throw error;
        return false;
      },
    );
    if (found || this.#closing.signal.aborted || this.#hasCurrent() || this.#again !== undefined) return;
    this.#later(Math.min(ASK_AGAIN_MS * 2 ** this.#failures++, MAX_ASK_AGAIN_MS));
  }

  async #obtain(): Promise<void> {
    if (this.#hasCurrent()) return;
    const mayMake = this.#maker.mayMake;
    // The first epoch is made at once: there is nobody to ask.
    if (mayMake && this.#view.current === undefined) return this.#maker.make();
    this.#asking ??= this.#exchange.ask(mayMake, this.#likely, this.#closing.signal).finally(() => {
      this.#asking = undefined;
    });
    if (await this.#asking) return;
    if (!this.#maker.mayMake) throw new PipevineError('unreachable', 'Nobody in reach has the key.');
    if (!this.#hasCurrent()) await this.#maker.make();
  }

  #later(delayMs: number): void {
    this.#again?.cancel();
    this.#again = this.#init.clock.setTimer(delayMs * (0.5 + this.#init.random.fraction() / 2), () => {
      this.#again = undefined;
      this.want();
    });
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#init.clock.setTimer(delayMs, resolve));
  }
}
