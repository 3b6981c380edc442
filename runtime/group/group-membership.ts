import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Credential } from './group-access.ts';
import type { MembershipPolicy } from './membership-policy.ts';
import type { Statement } from './statement.ts';
import type { StatementType } from './statement-codec.ts';

/** A group that this peer is a member of. */
export interface GroupMembership {
  readonly group: GroupId;
  readonly name: string;
  /** This peer's own. May have run out. */
  readonly credential: Credential;
  /** Whether this peer keeps the authority's key. */
  readonly authority: boolean;
  /** The administrator that admitted this peer: the first to ask for a renewal. */
  readonly administrator: PeerId | undefined;
  /** As the charter has it; `code` while no charter is known. */
  readonly policy: MembershipPolicy;
  /** Whether a peer that is no member may find the group. */
  readonly listed: boolean;
  /** How far from the authority whatever this peer signs for the group is: 0 where the authority is kept. */
  readonly depth: number;
}

export interface GroupsChange {
  readonly change: 'joined' | 'renewed' | 'resigned' | 'revocations' | 'statement';
  readonly group: GroupId;
  /** Of `revocations` and `statement`. */
  readonly statement?: Statement;
  /** The neighbour that it came from. */
  readonly from?: PeerId;
}

export interface CreateGroupInit {
  readonly name: string;
  /** Default: by code. */
  readonly policy?: MembershipPolicy;
  /** Default: unless members are admitted by code. */
  readonly listed?: boolean;
  /** What members get on admission; default `member`. */
  readonly roles?: readonly string[];
}

export interface IssueInit {
  readonly subject: PeerId;
  readonly roles: readonly string[];
  /** Besides those of the roles; default none. */
  readonly capabilities?: readonly string[];
  /** Default 45 days; never beyond the end of the issuer's own credential. */
  readonly lifetimeMs?: number;
  /** Given when a credential is renewed or changed; default: a new one. */
  readonly serial?: string;
  /** Given with the serial; default 0. */
  readonly version?: number;
  /**
   * Signatures from the authority to the member; default: as few as can be. An administrator whom another has made stays as
   * far when it is renewed: else who made it, or was as near, could not revoke it any more.
   */
  readonly depth?: number;
}

export interface PublishInit {
  readonly type: StatementType;
  /** At most 64 bytes of UTF-8. */
  readonly key: string;
  readonly content: Uint8Array;
  /** Infinity: for ever. */
  readonly lifetimeMs: number;
}
