import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import { JOIN_CODE_MEMORY_MS } from './membership-defaults.ts';

/** Who was admitted by a code. */
export interface Redemption {
  readonly peer: PeerId;
  /** Serial of the credential: a second request of the same peer gets the same membership again. */
  readonly serial: string;
  readonly name: string;
}

/** A join code as its administrator keeps it: the secret itself is nowhere. */
export interface IssuedJoinCode {
  readonly id: string;
  readonly group: GroupId;
  readonly secretHash: Uint8Array;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  readonly uses: number;
  readonly roles: readonly string[];
  readonly redemptions: readonly Redemption[];
}

export type RedeemOutcome =
  /** `code` is the code as it is now; it must be durable before a credential is handed out. */
  | { readonly type: 'granted'; readonly code: IssuedJoinCode; readonly redemption: Redemption }
  | { readonly type: 'wrong' }
  | { readonly type: 'expired' }
  | { readonly type: 'used-up' };

export interface RedeemInput {
  readonly group: GroupId;
  readonly secretHash: Uint8Array;
  readonly peer: PeerId;
  readonly name: string;
  /** Serial for a new membership. */
  readonly serial: string;
  /** Wall clock. */
  readonly nowMs: number;
}

/** The codes of an administrator: which are good, for whom, how often. Pure; times are of the wall clock. */
export class JoinCodeBook {
  readonly #maxCodes: number;
  readonly #equal: (a: Uint8Array, b: Uint8Array) => boolean;
  /** Oldest first. */
  readonly #codes = new Map<string, IssuedJoinCode>();
  #dropped = 0;

  /** `equal` compares in constant time. */
  constructor(maxCodes: number, equal: (a: Uint8Array, b: Uint8Array) => boolean, codes: readonly IssuedJoinCode[]) {
    this.#maxCodes = maxCodes;
    this.#equal = equal;
    for (const code of [...codes].sort((a, b) => a.createdAtMs - b.createdAtMs)) this.#codes.set(code.id, code);
  }

  get size(): number {
    return this.#codes.size;
  }

  /** Codes that went before their time to make room. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Adds a code; returns those that had to go: long run out, or the oldest. */
  add(code: IssuedJoinCode): IssuedJoinCode[] {
    const gone = [...this.#codes.values()].filter((old) => old.expiresAtMs + JOIN_CODE_MEMORY_MS <= code.createdAtMs);
    for (const old of gone) this.#codes.delete(old.id);
    for (const old of this.#codes.values()) {
      if (this.#codes.size < this.#maxCodes) break;
      this.#codes.delete(old.id);
      this.#dropped++;
      gone.push(old);
    }
    this.#codes.set(code.id, code);
    return gone;
  }

  /** Takes one use, unless this peer has one already. */
  redeem(input: RedeemInput): RedeemOutcome {
    let match: IssuedJoinCode | undefined;
    // All are compared, so that the time does not tell which one came near.
    for (const code of this.#codes.values()) {
      const equal = this.#equal(code.secretHash, input.secretHash);
      if (equal && code.group === input.group) match = code;
    }
    if (match === undefined) return { type: 'wrong' };
    if (match.expiresAtMs <= input.nowMs) return { type: 'expired' };
    const before = match.redemptions.find(({ peer }) => peer === input.peer);
    if (before !== undefined) return { type: 'granted', code: match, redemption: before };
    if (match.redemptions.length >= match.uses) return { type: 'used-up' };
    const redemption = { peer: input.peer, serial: input.serial, name: input.name };
    const code = { ...match, redemptions: [...match.redemptions, redemption] };
    this.#codes.set(code.id, code);
    return { type: 'granted', code, redemption };
  }

  /** Gives back the use that `redeem` took, for it did not become durable. */
  giveBack(id: string, redemption: Redemption): void {
    const code = this.#codes.get(id);
    if (code === undefined) return;
    this.#codes.set(id, { ...code, redemptions: code.redemptions.filter((each) => each !== redemption) });
  }

  remove(id: string): void {
    this.#codes.delete(id);
  }
}
