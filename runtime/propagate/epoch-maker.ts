import { PipevineError } from '../error/pipevine-error.ts';
import { encodeEpochContent, MAX_EPOCH_LISTS } from '../group/epoch-content.ts';
import type { Groups, GroupsChange } from '../group/groups.ts';
import type { GroupId } from '../id/group-id.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import type { EpochKeys } from './epoch-keys.ts';
import type { EpochView } from './epoch-view.ts';
import { KEY_BYTES } from './propagate-codec.ts';
import {
  EPOCH_AGE_MS,
  EPOCH_CHECK_MS,
  EPOCH_LIFETIME_MS,
  ROTATE_OTHERS_MS,
  ROTATE_OWN_MS,
} from './propagate-defaults.ts';

export interface EpochMakerInit {
  readonly group: GroupId;
  readonly groups: Pick<Groups, 'mayAdmit' | 'publish'>;
  readonly view: EpochView;
  readonly keys: EpochKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly crypto: Crypto;
  readonly onError: (error: PipevineError) => void;
}

/**
 * Makes the epochs of a group where this peer is an administrator: the first when a key is asked for, the next after each
 * revocation and each week. A group that has no epoch gets none by itself.
 */
export class EpochMaker {
  readonly #init: EpochMakerInit;
  #making: Promise<void> | undefined;
  #made = 0;
  #soon: Timer | undefined;
  #check: Timer;

  constructor(init: EpochMakerInit) {
    this.#init = init;
    this.#check = this.#checkLater();
  }

  get made(): number {
    return this.#made;
  }

  get mayMake(): boolean {
    return this.#init.groups.mayAdmit(this.#init.group);
  }

  /** Begins the next epoch; one that is being made does. Rejects with `refused` or an error of the storage. */
  make(): Promise<void> {
    this.#making ??= this.#make().finally(() => {
      this.#making = undefined;
    });
    return this.#making;
  }

  /** Somebody was revoked, or an epoch was announced by who had not heard of it. */
  onChange({ from }: GroupsChange): void {
    const { view, clock, random } = this.#init;
    const { current } = view;
    if (current === undefined || !this.mayMake || !view.isStale(current)) return;
    const delayMs = from === undefined ? ROTATE_OWN_MS : ROTATE_OTHERS_MS * (1 + random.fraction());
    // One that is to be soon is not put off by one that is to be later.
    if (this.#soon !== undefined && from !== undefined) return;
    this.#soon?.cancel();
    this.#soon = clock.setTimer(delayMs, () => {
      this.#soon = undefined;
      this.#makeIfDue();
    });
  }

  close(): void {
    this.#soon?.cancel();
    this.#check.cancel();
  }

  #makeIfDue(): void {
    const { view, clock, onError } = this.#init;
    const { current } = view;
    if (current === undefined || !this.mayMake) return;
    if (!view.isStale(current) && clock.wallMs() - current.fromMs < EPOCH_AGE_MS) return;
    this.make().catch((error: unknown) => {
      if (!(error instanceof PipevineError)) throw error;
      onError(error);
    });
  }

  async #make(): Promise<void> {
    const { group, groups, view, keys, clock, random, crypto } = this.#init;
    if (!this.mayMake) {
      throw new PipevineError('refused', 'Only an administrator of the group makes the key of its propagate pipes.');
    }
    const key = random.bytes(KEY_BYTES);
    // Held durably before anybody hears of it.
    await keys.add(key);
    const content = encodeEpochContent({
      number: Math.max(0, ...view.all.map(({ number }) => number)) + 1,
      keyHash: crypto.sha256(key),
      fromMs: Math.max(0, Math.floor(clock.wallMs())),
      after: new Map([...view.lists].slice(0, MAX_EPOCH_LISTS)),
    });
    await groups.publish(group, { type: 'epoch', key: '', content, lifetimeMs: EPOCH_LIFETIME_MS });
    this.#made++;
  }

  #checkLater(): Timer {
    const { clock, random } = this.#init;
    return clock.setTimer(EPOCH_CHECK_MS * (0.5 + random.fraction()), () => {
      this.#makeIfDue();
      this.#check = this.#checkLater();
    });
  }
}
