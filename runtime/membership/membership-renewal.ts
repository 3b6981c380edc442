import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupMembership, Groups } from '../group/groups.ts';
import type { Statement } from '../group/statement.ts';
import type { GroupId } from '../id/group-id.ts';
import type { RequestPipe, WaitOptions } from '../pipe/pipe.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import { decodeApproval } from './application-codec.ts';
import { renewMembership } from './join-client.ts';
import { RENEWAL_CHECK_MS, RENEWAL_TIMEOUT_MS } from './membership-defaults.ts';
import { newRenewalState, type RenewalState, renewalFailed, renewalStep } from './renewal-schedule.ts';

export interface MembershipRenewalInit {
  readonly groups: Groups;
  readonly clock: Clock;
  readonly crypto: Crypto;
  readonly random: Random;
  /** Opens a requester to the `membership` service of an administrator of the group; rejects when none is in reach. */
  readonly open: (membership: GroupMembership, options: WaitOptions) => Promise<RequestPipe>;
  /** Told of each renewal that failed; another attempt follows by itself. */
  readonly onFailure?: (group: GroupId, error: PipevineError) => void;
}

/** Keeps the memberships of this peer from running out, until it is closed. One timer for all. */
export class MembershipRenewal {
  readonly #init: MembershipRenewalInit;
  readonly #states = new Map<GroupId, { readonly serial: string; readonly notAfterMs: number; state: RenewalState }>();
  readonly #underWay = new Map<GroupId, Promise<void>>();
  /** Doubts that proved unfounded; of own groups only. */
  readonly #doubts = new Map<GroupId, RenewalState>();
  readonly #unsubscribe: () => void;
  readonly #abort = new AbortController();
  #timer: Timer | undefined;

  constructor(init: MembershipRenewalInit) {
    this.#init = init;
    this.#unsubscribe = init.groups.subscribe(({ group, statement }) => {
      if (statement?.type === 'approval') void this.#take(group, statement);
      if (statement?.type === undefined || statement.type === 'revocations') this.#look();
    });
    this.#look();
  }

  /**
   * A neighbour says that this membership is void: it may have been changed while this peer could not be told. Asks an
   * administrator; not again for a while where that proved untrue. Resolves to whether the neighbour can be asked again
   * with another credential; never rejects.
   */
  async doubt(group: GroupId): Promise<boolean> {
    const { groups, clock, random } = this.#init;
    const before = groups.membership(group);
    if (before === undefined || before.authority || this.#abort.signal.aborted) return false;
    const nowMs = clock.monotonicMs();
    const doubts = this.#doubts.get(group) ?? newRenewalState(0);
    const mayAsk = nowMs >= Math.max(doubts.notBeforeMs, this.#stateOf(before).notBeforeMs);
    const run = this.#underWay.get(group) ?? (mayAsk ? this.#renew(before) : undefined);
    await run;
    const { credential } = groups.membership(group) ?? before;
    if (credential.version !== before.credential.version) this.#doubts.delete(group);
    else if (run !== undefined) this.#doubts.set(group, renewalFailed(doubts, nowMs, random.fraction()));
    return credential !== before.credential;
  }

  /** Idempotent. */
  close(): void {
    this.#abort.abort();
    this.#unsubscribe();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #look(): void {
    if (this.#abort.signal.aborted) return;
    const { clock, groups } = this.#init;
    let nextMs = RENEWAL_CHECK_MS;
    const memberships = groups.list();
    for (const group of this.#states.keys()) {
      if (memberships.some((membership) => membership.group === group)) continue;
      this.#states.delete(group);
      this.#doubts.delete(group);
    }
    for (const membership of memberships) {
      if (this.#underWay.has(membership.group)) continue;
      const now = { wallMs: clock.wallMs(), monotonicMs: clock.monotonicMs() };
      const { group, authority, credential } = membership;
      const { serial, version } = credential;
      // What is revoked for good is not asked for again, unless by the renewals that would come anyway.
      const changed =
        groups.isRevoked(group, serial, version) && !groups.isRevoked(group, serial, Number.MAX_SAFE_INTEGER);
      const step = renewalStep(this.#stateOf(membership), { credential, authority, changed }, now);
      if (step.type === 'wait') nextMs = Math.min(nextMs, step.delayMs);
      if (step.type === 'renew') void this.#renew(membership);
    }
    this.#timer?.cancel();
    this.#timer = clock.setTimer(nextMs, () => this.#look());
  }

  #stateOf({ group, credential }: GroupMembership): RenewalState {
    const known = this.#states.get(group);
    if (known?.serial === credential.serial && known.notAfterMs === credential.notAfterMs) return known.state;
    const state = newRenewalState(this.#init.random.fraction());
    this.#states.set(group, { serial: credential.serial, notAfterMs: credential.notAfterMs, state });
    return state;
  }

  /** Takes what an administrator has granted this peer instead of what it has. */
  async #take(group: GroupId, { key, content }: Statement): Promise<void> {
    const { groups } = this.#init;
    const membership = groups.membership(group);
    if (membership?.credential.serial !== key || membership.authority) return;
    try {
      const approval = decodeApproval(content);
      if (approval.type === 'granted') await groups.admit(approval.credential, { name: membership.name });
    } catch (error) {
      // Not for this peer, or nothing that it can use: then it asks.
      if (!(error instanceof PipevineError)) throw error;
    }
  }

  #renew(membership: GroupMembership): Promise<void> {
    const { group } = membership;
    const run = this.#attempt(membership).finally(() => {
      this.#underWay.delete(group);
      this.#look();
    });
    this.#underWay.set(group, run);
    return run;
  }

  async #attempt(membership: GroupMembership): Promise<void> {
    const { group } = membership;
    const { clock, random, onFailure } = this.#init;
    try {
      await this.#renewOnce(membership);
    } catch (error) {
      const known = this.#states.get(group);
      if (known !== undefined) {
        known.state = renewalFailed(known.state, clock.monotonicMs(), random.fraction());
      }
      const reason =
        error instanceof PipevineError
          ? error
          : new PipevineError('internal', 'The renewal of a membership failed.', { cause: error });
      if (!this.#abort.signal.aborted) onFailure?.(group, reason);
    }
  }

  async #renewOnce(membership: GroupMembership): Promise<void> {
    const { groups, crypto, open } = this.#init;
    if (membership.authority) {
      await groups.renewOwn(membership.group);
      return;
    }
    const wait = { signal: this.#abort.signal, timeoutMs: RENEWAL_TIMEOUT_MS };
    const pipe = await open(membership, wait);
    try {
      await renewMembership({ pipe, group: membership.group, groups, crypto, ...wait });
    } finally {
      await pipe.close();
    }
  }
}
