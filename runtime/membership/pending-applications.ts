/**
 * The applications of this peer, in table `own-application` under the base32 part of the group's id:
 * `{1: group, 2: name of the group, 3: nonce, 4: askedAtMs, 5: [* address]}`.
 */
import { PipevineError } from '../error/pipevine-error.ts';
import { groupKey } from '../group/group-record.ts';
import type { Groups } from '../group/groups.ts';
import { type GroupId, groupIdFromBytes, groupIdToBytes } from '../id/group-id.ts';
import type { WaitOptions } from '../pipe/pipe.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import type { Storage } from '../platform/storage.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import { decodeStrict } from '../wire/decode.ts';
import { type CborInput, encodeCanonical } from '../wire/encode.ts';
import { readMap, readText } from '../wire/shape.ts';
import type { JoinOutcome } from './join-client.ts';
import {
  APPLICATION_LIFETIME_MS,
  APPLICATION_RETRY_MS,
  MAX_APPLICATION_RETRY_MS,
  MAX_OWN_APPLICATIONS,
} from './membership-defaults.ts';

const TABLE = 'own-application';

/** What this peer has applied for and waits for. */
export interface PendingApplication {
  readonly group: GroupId;
  readonly name: string;
  readonly nonce: Uint8Array;
  /** Wall clock. */
  readonly askedAtMs: number;
  /** Where to ask, besides the neighbours and the local network. */
  readonly addresses: readonly EndpointAddress[];
}

export interface PendingApplicationsInit {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
  readonly groups: Pick<Groups, 'subscribe' | 'membership'>;
  /** Asks once more; when it resolves to `joined`, the group has admitted this peer already. */
  readonly ask: (application: PendingApplication, options: WaitOptions) => Promise<Pick<JoinOutcome, 'state'>>;
  /** It was refused or ran out, and is not asked for again. */
  readonly onEnd?: (application: PendingApplication, error: PipevineError) => void;
}

/** Asks again for what was applied for, until admitted, refused or expired; goes on after a restart. One timer for all. */
export class PendingApplications {
  readonly #init: PendingApplicationsInit;
  readonly #pending = new Map<GroupId, { application: PendingApplication; failures: number; nextAtMs: number }>();
  readonly #abort = new AbortController();
  readonly #unsubscribe: () => void;
  #asking: GroupId | undefined;
  #timer: Timer | undefined;

  constructor(init: PendingApplicationsInit) {
    this.#init = init;
    for (const [, value] of init.storage.scan(TABLE)) this.#wait(decode(value), 0);
    this.#unsubscribe = init.groups.subscribe(({ change, group }) => {
      if (change === 'joined') void this.#forget(group);
    });
    this.#arm();
  }

  list(): PendingApplication[] {
    return [...this.#pending.values()].map(({ application }) => application);
  }

  get(group: GroupId): PendingApplication | undefined {
    return this.#pending.get(group)?.application;
  }

  /** Takes over an application that is pending. Rejects with `overloaded` or an error of the storage. */
  async add(application: PendingApplication): Promise<void> {
    if (this.#pending.size >= MAX_OWN_APPLICATIONS && !this.#pending.has(application.group)) {
      throw new PipevineError(
        'overloaded',
        `A peer can wait for ${MAX_OWN_APPLICATIONS} groups; withdraw an application with \`pipevine group leave\`.`,
      );
    }
    const key = groupKey(application.group);
    await this.#init.storage.commit([{ table: TABLE, key, value: encode(application) }]);
    if (this.#init.groups.membership(application.group) !== undefined) return this.#forget(application.group);
    this.#wait(application, this.#pending.get(application.group)?.failures ?? 0);
    this.#arm();
  }

  /** Gives up an application; does nothing when there is none. */
  async withdraw(group: GroupId): Promise<void> {
    if (this.#pending.has(group)) await this.#forget(group);
  }

  /** Idempotent. */
  close(): void {
    this.#abort.abort();
    this.#unsubscribe();
    this.#timer?.cancel();
  }

  get status(): { readonly used: number; readonly limit: number; readonly dropped: number } {
    return { used: this.#pending.size, limit: MAX_OWN_APPLICATIONS, dropped: 0 };
  }

  #wait(application: PendingApplication, failures: number): void {
    const { clock, random } = this.#init;
    const pauseMs = Math.min(APPLICATION_RETRY_MS * 2 ** Math.min(failures, 16), MAX_APPLICATION_RETRY_MS);
    const nextAtMs = clock.monotonicMs() + pauseMs * (0.5 + 0.5 * random.fraction());
    this.#pending.set(application.group, { application, failures, nextAtMs });
  }

  #arm(): void {
    this.#timer?.cancel();
    if (this.#abort.signal.aborted || this.#asking !== undefined || this.#pending.size === 0) return;
    const nextAtMs = Math.min(...[...this.#pending.values()].map((each) => each.nextAtMs));
    const { clock } = this.#init;
    this.#timer = clock.setTimer(Math.max(0, nextAtMs - clock.monotonicMs()), () => void this.#askNext());
  }

  async #askNext(): Promise<void> {
    const { clock, ask, onEnd } = this.#init;
    const due = [...this.#pending.values()].find(({ nextAtMs }) => nextAtMs <= clock.monotonicMs());
    if (due === undefined) return this.#arm();
    const { application, failures } = due;
    const { group } = application;
    this.#asking = group;
    try {
      const error = await this.#outcome(() => ask(application, { signal: this.#abort.signal }), application);
      // It may have been withdrawn, or made anew, in the meantime.
      if (this.#abort.signal.aborted || this.#pending.get(group) !== due) return;
      this.#wait(application, failures + 1);
      if (error === undefined) return;
      await this.#forget(group);
      onEnd?.(application, error);
    } finally {
      this.#asking = undefined;
      this.#arm();
    }
  }

  /** The error with which it is over; undefined: joined, or to be asked again. */
  async #outcome(
    ask: () => Promise<Pick<JoinOutcome, 'state'>>,
    { askedAtMs, name }: PendingApplication,
  ): Promise<PipevineError | undefined> {
    try {
      if ((await ask()).state === 'joined') return undefined;
    } catch (error) {
      if (!(error instanceof PipevineError)) throw error;
      if (error.code === 'refused' || error.code === 'revoked' || error.code === 'expired') return error;
    }
    if (this.#init.clock.wallMs() < askedAtMs + APPLICATION_LIFETIME_MS) return undefined;
    return new PipevineError('expired', `Nobody approved the application to group "${name}" in 7 days; apply again.`);
  }

  async #forget(group: GroupId): Promise<void> {
    this.#pending.delete(group);
    try {
      await this.#init.storage.commit([{ table: TABLE, key: groupKey(group), value: undefined }]);
    } catch (error) {
      // It is asked for once more after the next start, and then comes to the same end.
      if (!(error instanceof PipevineError)) throw error;
    }
  }
}

function encode(application: PendingApplication): Uint8Array {
  return encodeCanonical(
    new Map<number, CborInput>([
      [1, groupIdToBytes(application.group)],
      [2, application.name],
      [3, application.nonce],
      [4, application.askedAtMs],
      [5, application.addresses],
    ]),
  );
}

/** Throws `malformed`. */
function decode(bytes: Uint8Array): PendingApplication {
  const what = 'A stored application';
  const reader = readMap(decodeStrict(bytes), what);
  return {
    group: groupIdFromBytes(reader.bytes(1, 'group', { length: 32 })),
    name: reader.text(2, 'name'),
    nonce: reader.bytes(3, 'nonce'),
    askedAtMs: reader.integer(4, 'askedAtMs'),
    addresses: reader.array(5, 'addresses').map((each) => readText(each, what)),
  };
}
