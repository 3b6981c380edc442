import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupId } from '../id/group-id.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import { MEMBERSHIP_SERVICE } from '../membership/membership-defaults.ts';
import { codeOfKind } from '../pipe/pipe-kind.ts';
import type { Clock } from '../platform/clock.ts';
import type { BindFrame } from '../wire/frame.ts';
import { type AdmissionPlace, AdmissionPool } from './admission-pool.ts';
import { MAX_ADMISSION_HOPS, MEMBER_ADMISSIONS, STRANGER_ADMISSIONS } from './relay-defaults.ts';
import type { RelayBound, RelayedBind } from './relay-forwarder.ts';

/** Where a BIND for a membership service goes on. */
export interface AdmissionHop {
  /** A neighbour: the target, who speaks for it, or another relay. */
  readonly to: PeerId;
  /** Whether the binder itself is a neighbour that has shown to be a member. */
  readonly isMember: boolean;
}

/** What one group that is relayed here says about BINDs in the world group. */
export interface AdmissionSource {
  /** Undefined when no way leads to the target in this group. */
  admissionHop?(bind: RelayedBind): AdmissionHop | undefined;
}

export interface AdmissionWay {
  /** The group whose lease or relay it uses. */
  readonly group: GroupId;
  readonly to: PeerId;
  readonly place: AdmissionPlace;
}

/**
 * What a relay forwards in the world group, where nobody has to be a member: request pipes to the membership service of its
 * clients, and no others. So who is not a member yet can become one, and a member that reaches no administrator can stay one.
 */
export class AdmissionGate {
  readonly #members: AdmissionPool;
  readonly #strangers: AdmissionPool;
  #refused = 0;

  constructor(clock: Clock) {
    this.#members = new AdmissionPool(clock, MEMBER_ADMISSIONS);
    this.#strangers = new AdmissionPool(clock, STRANGER_ADMISSIONS);
  }

  /** Takes a place for it, which ends with its pipe. Throws `refused`, `unreachable` or `overloaded`. */
  pass(
    bind: RelayedBind,
    { name, kind }: Pick<BindFrame, 'name' | 'kind'>,
    sources: Iterable<readonly [GroupId, AdmissionSource]>,
  ): AdmissionWay {
    const { from, source, target, hops, named } = bind;
    if (name !== MEMBERSHIP_SERVICE || kind !== codeOfKind('request')) {
      throw this.#no('refused', 'Outside of its groups a relay forwards request pipes to membership services only.');
    }
    if (named !== undefined || hops >= MAX_ADMISSION_HOPS) {
      throw this.#no('refused', `Such a pipe passes ${MAX_ADMISSION_HOPS} relays at most, and names none.`);
    }
    for (const [group, gate] of sources) {
      const hop = gate.admissionHop?.(bind);
      if (hop === undefined || hop.to === from) continue;
      const pool = hop.isMember ? this.#members : this.#strangers;
      return { group, to: hop.to, place: pool.take(source, target) };
    }
    throw this.#no('unreachable', `Peer ${shortPeerId(target)} has no lease at this relay, or at one next to it.`);
  }

  status(): Readonly<Record<string, RelayBound>> {
    const { used, limit, dropped } = this.#strangers.status;
    return {
      'relayed admissions of strangers': { used, limit, dropped: dropped + this.#refused },
      'relayed admissions of members': this.#members.status,
    };
  }

  #no(code: 'refused' | 'unreachable', message: string): PipevineError {
    this.#refused++;
    return new PipevineError(code, message);
  }
}
