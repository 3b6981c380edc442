import { type ErrorCode, PipevineError } from '../error/pipevine-error.ts';
import type { Groups } from '../group/groups.ts';
import type { GroupId } from '../id/group-id.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import { groupFingerprint } from '../membership/group-fingerprint.ts';
import { type JoinBy, type JoinOutcome, joinAt } from '../membership/join-client.ts';
import { parseJoinCode } from '../membership/join-code.ts';
import { MembershipSearch, type MembershipSearchInit } from '../membership/membership-search.ts';
import type { OwnApplication } from '../membership/own-application.ts';
import type { WaitOptions } from '../pipe/pipe.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';

/** Deadline of joining, finding included, ms. */
export const JOIN_TIMEOUT_MS = 15_000;
/** How long others are waited for when one has said no for good, or that approval is pending, ms: another may know more. */
const SECOND_OPINION_MS = 1_000;
/** No from an administrator of the right group: asking it again would change nothing. */
const DECISIVE: readonly ErrorCode[] = ['refused', 'expired', 'revoked', 'invalid-argument'];

export interface JoinSearchInit
  extends WaitOptions,
    Omit<MembershipSearchInit, 'visit' | 'onError' | 'onIdle' | 'fingerprint'> {
  /** A join code or link; or a group, with what its policy asks for. */
  readonly by:
    | { readonly code: string }
    | { readonly group: GroupId; readonly password?: string | undefined; readonly application: OwnApplication };
  readonly name: string;
  readonly localPeer: PeerId;
  readonly groups: Groups;
  readonly crypto: Crypto;
  readonly random: Random;
}

/**
 * Looks for somebody who admits to the group among the neighbours, at the given addresses, on the local network and behind
 * the relays among these, and joins at the first that admits. Resolves to `pending` when the application waits for approval. Rejects with what an
 * administrator said (`refused`, `expired`, `revoked`, `invalid-argument` for another policy), `not-found` when those who
 * were found do not know the group, `timeout` when nobody was found, or `aborted`.
 */
export async function joinGroup(init: JoinSearchInit): Promise<JoinOutcome & { readonly administrator: PeerId }> {
  const { by, addresses } = init;
  if (!('code' in by)) return new JoinSearch(init, { type: 'group', ...by }).run();
  const { seeds, ...code } = parseJoinCode(by.code);
  return new JoinSearch({ ...init, addresses: [...seeds, ...addresses] }, { type: 'code', code }).run();
}

class JoinSearch {
  readonly #init: JoinSearchInit;
  readonly #by: JoinBy;
  /** What went wrong, the last of each candidate. */
  readonly #errors = new Map<string, PipevineError>();
  #decisive: PipevineError | undefined;
  #outcome: (JoinOutcome & { readonly administrator: PeerId }) | undefined;
  #settle: () => void = () => undefined;

  constructor(init: JoinSearchInit, by: JoinBy) {
    this.#init = init;
    this.#by = by;
  }

  async run(): Promise<JoinOutcome & { readonly administrator: PeerId }> {
    const { clock, signal, timeoutMs = JOIN_TIMEOUT_MS, endpoint, pipes, local, addresses, relays } = this.#init;
    const by = this.#by;
    const done = new Promise<void>((resolve) => {
      this.#settle = resolve;
    });
    const deadline = clock.setTimer(timeoutMs, this.#settle);
    signal?.addEventListener('abort', this.#settle);
    if (signal?.aborted) this.#settle();
    const search = new MembershipSearch({
      endpoint,
      pipes,
      local,
      clock,
      addresses,
      relays,
      fingerprint: by.type === 'code' ? by.code.fingerprint : groupFingerprint(this.#init.crypto, by.group),
      visit: async (pipe, wait) => {
        const { name, localPeer, groups, crypto, random } = this.#init;
        const outcome = await joinAt({ pipe, by, name, localPeer, groups, crypto, random, clock, ...wait });
        if (this.#outcome?.state === 'joined') return;
        this.#outcome = { ...outcome, administrator: pipe.remotePeer };
        if (outcome.state === 'joined') this.#settle();
        else this.#waitForOthers();
      },
      onError: (candidate, error) => {
        this.#errors.set(candidate, error);
        if (!DECISIVE.includes(error.code)) return true;
        // Whoever knows of a revocation knows more than who only knows no such code.
        if (this.#decisive === undefined || error.code === 'revoked') this.#decisive = error;
        this.#waitForOthers();
        return false;
      },
    });
    try {
      await done;
    } finally {
      search.close();
      deadline.cancel();
      signal?.removeEventListener('abort', this.#settle);
    }
    if (this.#outcome !== undefined) return this.#outcome;
    if (signal?.aborted) throw new PipevineError('aborted', 'Joining was given up.');
    throw this.#explanation(timeoutMs);
  }

  #waitForOthers(): void {
    this.#init.clock.setTimer(SECOND_OPINION_MS, this.#settle);
  }

  #explanation(timeoutMs: number): PipevineError {
    if (this.#decisive !== undefined) return this.#decisive;
    const seconds = Math.round(timeoutMs / 1000);
    const check = this.#by.type === 'code' ? 'the code is its own' : 'it admits to this group';
    const hint = `Check that the gateway runs and that ${check}; where multicast is blocked, give its address, and from elsewhere that of a relay of the group: --seed tcp://host:port.`;
    const failures = [...this.#errors];
    const foreign = failures.filter(([, { code }]) => code === 'not-found' || code === 'forged');
    if (foreign.length > 0) {
      const names = foreign.slice(0, 3).map(([name]) => (name.startsWith('urn:') ? shortPeerId(name as PeerId) : name)); // Candidates are peer ids or addresses.
      return new PipevineError(
        'not-found',
        `The peers that answered (${names.join(', ')}) do not admit to the group of this ${this.#by.type === 'code' ? 'code' : 'id'}. ${hint}`,
      );
    }
    const [first] = failures;
    const why = first === undefined ? '' : ` The last attempt, at ${first[0]}: ${first[1].message}`;
    return new PipevineError('timeout', `No administrator of the group was found in ${seconds} s. ${hint}${why}`);
  }
}
