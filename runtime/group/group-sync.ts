import { jitteredBackoffMs } from '../endpoint/backoff.ts';
import { pause } from '../endpoint/pause.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Clock } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import type { GroupNeighbour, GroupResolver, ResolverContext } from '../resolver/resolver.ts';
import {
  FOLLOW_AGAIN_MS,
  FOLLOW_AGAIN_SOON_MS,
  FOLLOW_RETRY_MS,
  MAX_FOLLOW_RETRY_MS,
  MAX_STATEMENT_FOLLOWERS,
  MAX_STATEMENTS,
} from './group-defaults.ts';
import {
  decodeStatementQuery,
  encodeStatementQuery,
  GROUP_HANDLER,
  heldStatements,
  slotDigest,
} from './group-sync-codec.ts';
import type { Groups, GroupsChange } from './groups.ts';
import { type Statement, slotOf } from './statement.ts';

export interface GroupSyncInit {
  readonly groups: Groups;
  readonly resolver: GroupResolver;
  readonly clock: Clock;
  readonly random: Random;
  readonly crypto: Crypto;
}

/** A neighbour that is told what is new. */
interface Follower {
  /** What it has not been sent yet: the newest of each slot. */
  readonly pending: Map<string, Statement>;
  wake(): void;
  end(): void;
}

const EMPTY = new Uint8Array(0);
/** The neighbour has passed on what it must have seen to be wrong. */
const LIES = ['malformed', 'forged', 'too-large'];
/** Nothing to be done about it here, and no fault of the neighbour's. */
const DECLINED = ['refused', 'revoked', 'expired', 'unsupported', 'overloaded'];

/**
 * Brings the statements of one group to every member: each follows all its neighbours and passes on what is new to it.
 * Nobody is trusted for it: a statement proves itself.
 */
export class GroupSync {
  readonly #init: GroupSyncInit;
  readonly #followers = new Map<PeerId, Follower>();
  readonly #following = new Map<GroupNeighbour, AbortController>();
  readonly #closers: (() => void)[];
  #declined = 0;
  #refusedFollowers = 0;

  /** Throws `busy` when the resolver has a handler `group`. */
  constructor(init: GroupSyncInit) {
    this.#init = init;
    const { resolver, groups } = init;
    const handler = resolver.handle(GROUP_HANDLER, (body, context) => this.#serve(body, context));
    const neighbours = resolver.subscribe({
      onOpen: (neighbour) => this.#follow(neighbour),
      onClosed: (neighbour) => this.#leave(neighbour),
    });
    const changes = groups.subscribe((change) => this.#onChange(change));
    this.#closers = [() => handler.close(), () => neighbours.unsubscribe(), changes];
    for (const neighbour of resolver.neighbours()) this.#follow(neighbour);
  }

  /** Bounds and counters, by name. */
  status(): Readonly<Record<string, { readonly used: number; readonly limit: number; readonly dropped: number }>> {
    return {
      'statement followers': {
        used: this.#followers.size,
        limit: MAX_STATEMENT_FOLLOWERS,
        dropped: this.#refusedFollowers,
      },
      'statements declined': { used: 0, limit: 0, dropped: this.#declined },
    };
  }

  /** Idempotent. */
  close(): void {
    for (const close of this.#closers.splice(0)) close();
    for (const neighbour of [...this.#following.keys()]) this.#leave(neighbour);
    for (const follower of [...this.#followers.values()]) follower.end();
  }

  #onChange({ group, statement, from }: GroupsChange): void {
    if (statement === undefined || group !== this.#init.resolver.group) return;
    const slot = slotOf(statement);
    for (const [peer, follower] of this.#followers) {
      if (peer === from) continue;
      // Who does not take what it is sent asks again, and says then what it has.
      if (follower.pending.size >= MAX_STATEMENTS) follower.end();
      follower.pending.set(slot, statement);
      follower.wake();
    }
  }

  async *#serve(body: Uint8Array, { remotePeer, signal }: ResolverContext): AsyncGenerator<Uint8Array> {
    const { groups, resolver, crypto } = this.#init;
    const held = decodeStatementQuery(body);
    this.#followers.get(remotePeer)?.end();
    if (this.#followers.size >= MAX_STATEMENT_FOLLOWERS) {
      this.#refusedFollowers++;
      throw new PipevineError('overloaded', 'Too many members follow the statements here; ask another one.');
    }
    let ended = signal.aborted;
    let wake = (): void => {};
    const follower: Follower = {
      pending: new Map(),
      wake: () => wake(),
      end: () => {
        ended = true;
        if (this.#followers.get(remotePeer) === follower) this.#followers.delete(remotePeer);
        wake();
      },
    };
    for (const one of groups.statements(resolver.group)) {
      if ((held.get(slotDigest(crypto, one)) ?? -1) < one.sequence) follower.pending.set(slotOf(one), one);
    }
    this.#followers.set(remotePeer, follower);
    signal.addEventListener('abort', follower.end);
    try {
      for (let isPresentSet = true; !ended; isPresentSet = false) {
        for (const [slot, statement] of follower.pending) {
          follower.pending.delete(slot);
          yield statement.encoded;
        }
        if (isPresentSet) yield EMPTY;
        if (follower.pending.size === 0 && !ended) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      signal.removeEventListener('abort', follower.end);
      follower.end();
    }
  }

  #follow(neighbour: GroupNeighbour): void {
    this.#leave(neighbour);
    const abort = new AbortController();
    this.#following.set(neighbour, abort);
    void this.#keepFollowing(neighbour, abort.signal);
  }

  #leave(neighbour: GroupNeighbour): void {
    this.#following.get(neighbour)?.abort();
    this.#following.delete(neighbour);
  }

  async #keepFollowing(neighbour: GroupNeighbour, signal: AbortSignal): Promise<void> {
    const { clock, random, resolver } = this.#init;
    let failures = 0;
    while (!signal.aborted) {
      const startedMs = clock.monotonicMs();
      try {
        await this.#round(neighbour, signal);
        failures = 0;
        continue;
      } catch (error) {
        if (!(error instanceof PipevineError)) throw error;
        if (error.code === 'forged' && !signal.aborted) return resolver.distrust(neighbour.peer);
      }
      // Who answers and ends the sequence soon after has failed again.
      if (clock.monotonicMs() - startedMs >= MAX_FOLLOW_RETRY_MS) failures = 0;
      const pauseMs = jitteredBackoffMs(++failures, FOLLOW_RETRY_MS, MAX_FOLLOW_RETRY_MS, random.fraction());
      await pause(clock, pauseMs, signal);
    }
  }

  /** Follows until it is time to compare anew. Throws `forged` when the neighbour passed on a lie, else as the stream does. */
  async #round(neighbour: GroupNeighbour, signal: AbortSignal): Promise<void> {
    const { groups, resolver, clock, random, crypto } = this.#init;
    const { group } = resolver;
    const round = new AbortController();
    const end = (): void => round.abort();
    let timer = clock.setTimer(FOLLOW_AGAIN_MS * (0.5 + random.fraction()), end);
    signal.addEventListener('abort', end);
    try {
      const query = encodeStatementQuery(heldStatements(crypto, groups.statements(group)));
      for await (const bytes of neighbour.stream(GROUP_HANDLER, query, { signal: round.signal })) {
        const declined = bytes.length === 0 ? undefined : await this.#take(neighbour.peer, bytes);
        if (declined !== 'overloaded') continue;
        timer.cancel();
        timer = clock.setTimer(FOLLOW_AGAIN_SOON_MS * (0.5 + random.fraction()), end);
      }
      throw new PipevineError('closed', 'The neighbour has ended the sequence.');
    } catch (error) {
      if (round.signal.aborted && error instanceof PipevineError && error.code === 'aborted') return;
      throw error;
    } finally {
      timer.cancel();
      signal.removeEventListener('abort', end);
    }
  }

  /** Returns the code of the error with which it was not taken. */
  async #take(from: PeerId, encoded: Uint8Array): Promise<string | undefined> {
    const { groups, resolver } = this.#init;
    try {
      await groups.receive(resolver.group, encoded, from);
      return undefined;
    } catch (error) {
      if (!(error instanceof PipevineError)) throw error;
      if (LIES.includes(error.code)) throw new PipevineError('forged', error.message, { cause: error });
      if (!DECLINED.includes(error.code)) throw error;
      this.#declined++;
      return error.code;
    }
  }
}
