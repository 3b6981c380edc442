import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Clock } from '../platform/clock.ts';
import { authorityOf } from './authority.ts';
import { may } from './capability.ts';
import { type CharterContent, encodeCharterContent } from './charter.ts';
import type { Credential } from './group-access.ts';
import { MAX_REVOKED_SERIALS, REVOCATION_LIFETIME_MS } from './group-defaults.ts';
import type { Groups } from './groups.ts';
import { encodeRevocationList, type RevocationEntry } from './revocation-list.ts';
import { serialToBytes } from './serial.ts';
import type { Statement } from './statement.ts';

export interface AdministrationInit {
  readonly groups: Groups;
  readonly clock: Clock;
}

export interface RevokeInit {
  readonly serial: string;
  /** False: a plain member, whatever it was before. */
  readonly isAdministrator?: boolean;
  /** Distance of an administrator from the authority; default: of its revocation list, or as one admitted by this peer. */
  readonly depth?: number;
  /** False: what it has revoked as an administrator is taken back; default: it stays revoked. */
  readonly adopt?: boolean;
}

/** What administrators do to a group besides admitting members. Each method rejects with `refused` at all others. */
export class Administration {
  readonly #groups: Groups;
  readonly #clock: Clock;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(init: AdministrationInit) {
    this.#groups = init.groups;
    this.#clock = init.clock;
  }

  /** Changes what the group is; only where its authority is kept. Rejects with `refused`, `invalid-argument`. */
  setCharter(group: GroupId, change: Partial<CharterContent>): Promise<Statement> {
    return this.#next(() => {
      const { name, policy, listed, roles } = this.#charter(group);
      const content = encodeCharterContent({ name, policy, listed, roles, ...change });
      return this.#groups.publish(group, { type: 'charter', key: '', content, lifetimeMs: Infinity });
    });
  }

  /**
   * Gives a member other roles and capabilities: a credential of the same serial and a higher version, until `current`
   * would have ended or as long as a new one. When it resolves all earlier versions are void.
   */
  grant(
    group: GroupId,
    current: Credential,
    grant: { readonly roles: readonly string[]; readonly capabilities?: readonly string[] },
  ): Promise<Credential> {
    return this.#next(async () => {
      const { serial, subject, version } = current;
      const depth = this.#groups.chainOf(current.encoded).length;
      this.#checkReach(group, { serial, depth, isAdministrator: may(current, 'administer') });
      const next = Math.max(version + 1, this.#wallMs());
      // Signed first: what this peer may not sign must not void what the member has.
      const issued = this.#groups.issue(group, { subject, serial, version: next, ...grant });
      await this.#revoke(group, serial, next);
      return issued;
    });
  }

  /**
   * Makes all credentials of a membership void, and those that it has signed. What an administrator had revoked stays
   * so: its entries go over into the list of whoever revokes it, with no more weight than they had.
   */
  revoke(group: GroupId, target: RevokeInit): Promise<void> {
    return this.#next(() => {
      serialToBytes(target.serial);
      this.#checkReach(group, target);
      return this.#revoke(group, target.serial, Infinity, target.adopt);
    });
  }

  /** A revocation that would have no effect is refused, rather than believed in. */
  #checkReach(group: GroupId, { serial, isAdministrator, depth }: RevokeInit): void {
    const standing = this.#standing(group);
    if (isAdministrator === false) return;
    const list = this.#lists(group).find(({ issuerCredential }) => issuerCredential?.serial === serial);
    const distance = depth ?? list?.issuerChain.length;
    if (distance === undefined || distance > standing.depth) return;
    throw new PipevineError(
      'refused',
      'An administrator is revoked or changed by the authority of the group, or by one nearer to it than that; do it there.',
    );
  }

  #lists(group: GroupId): Statement[] {
    return this.#groups.statements(group).filter(({ type }) => type === 'revocations');
  }

  async #revoke(group: GroupId, serial: string, below: number, adopt = true): Promise<void> {
    const { issuer } = this.#standing(group);
    const nowMs = this.#wallMs();
    const lists = this.#lists(group);
    const own = lists.find((one) => one.issuer === issuer);
    const adopted = lists
      .filter(({ issuerChain }) => adopt && issuerChain.some((credential) => credential.serial === serial))
      .flatMap(({ issuerChain, revocations }) =>
        revocations.map((entry) => ({ ...entry, depth: Math.max(entry.depth, issuerChain.length) })),
      );
    const entries = new Map<string, RevocationEntry>();
    const last = { serial, below, untilMs: nowMs + REVOCATION_LIFETIME_MS, depth: 0 };
    for (const entry of [...(own?.revocations ?? []), ...adopted, last]) {
      const before = entries.get(`${entry.serial} ${entry.depth}`);
      if (entry.untilMs <= nowMs) continue;
      entries.set(`${entry.serial} ${entry.depth}`, {
        ...entry,
        below: Math.max(entry.below, before?.below ?? 0),
        untilMs: Math.max(entry.untilMs, before?.untilMs ?? 0),
      });
    }
    const all = [...entries.values()];
    const mine = all.filter(({ depth }) => depth === 0);
    // What others had revoked gives way to what this peer revokes, the oldest first: a thief cannot fill the list.
    const theirs = all.filter(({ depth }) => depth > 0).sort((a, b) => b.untilMs - a.untilMs);
    const room = Math.max(0, MAX_REVOKED_SERIALS - mine.length);
    const content = encodeRevocationList([...mine, ...theirs.slice(0, room)]);
    const lifetimeMs = REVOCATION_LIFETIME_MS;
    await this.#groups.publish(group, { type: 'revocations', key: '', content, lifetimeMs });
  }

  #charter(group: GroupId): CharterContent {
    const charter = this.#groups.charter(group);
    if (charter !== undefined) return charter;
    throw new PipevineError('not-found', 'The charter of the group has not come yet; try again when a member is near.');
  }

  #standing(group: GroupId): { readonly depth: number; readonly issuer: PeerId } {
    const membership = this.#groups.membership(group);
    if (membership === undefined || !this.#groups.mayAdmit(group)) {
      throw new PipevineError('refused', 'Only an administrator of the group can do this; ask one.');
    }
    const { authority, credential, depth } = membership;
    return { depth, issuer: authority ? authorityOf(group) : credential.subject };
  }

  #wallMs(): number {
    return Math.max(0, Math.floor(this.#clock.wallMs()));
  }

  /** One after the other: each reads the list that it adds to. */
  #next<T>(action: () => Promise<T>): Promise<T> {
    const run = this.#turn.then(action);
    this.#turn = run.catch(() => undefined);
    return run;
  }
}
