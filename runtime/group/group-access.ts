import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';

/** A signed statement of a group's authority: this peer is a member, with these roles, until then. Verified. */
export interface Credential {
  readonly group: GroupId;
  readonly subject: PeerId;
  /** For example `member`, `administrator`, `host`. */
  readonly roles: readonly string[];
  /** Granted besides those of the roles, `name:PATTERN` among them; see capability.ts. */
  readonly capabilities: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** 16 random bytes as base32: what a revocation names. The same for all versions and renewals of a membership. */
  readonly serial: string;
  /** Grows each time that an administrator changes what is granted; 0 at first. */
  readonly version: number;
  /** Of one that a quorum gave: the sequence of the charter that names the approvers. */
  readonly charterSequence?: number;
  readonly encoded: Uint8Array;
}

/** What a pipe needs to know of a group: what to show, and whether what the other shows will do. */
export interface GroupAccess {
  readonly group: GroupId;
  /**
   * The encoded credential of this peer, or of one that it hosts; empty in the world group. Throws code `refused` when
   * that peer is no member, `expired` when its membership has run out.
   */
  credentialOf(peer: PeerId): Uint8Array;
  /**
   * Checks what `subject`, whom the session has authenticated, has shown. Throws `refused` (none shown, or of another
   * group or peer, or not yet valid), `malformed`, `forged`, `expired` or `revoked`. Cheap when the same bytes were
   * checked before. Undefined in the world group, which asks for no credential and ignores one that is shown.
   */
  verify(subject: PeerId, credential: Uint8Array): Credential | undefined;
}

/** The groups that this process is a member of; the world group always. */
export interface GroupDirectory {
  access(group: GroupId): GroupAccess | undefined;
}
