import type { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import type { CharterContent } from '../group/charter.ts';
import type { Credential } from '../group/group-access.ts';
import type { Groups } from '../group/groups.ts';
import type { GroupId } from '../id/group-id.ts';
import type { Identity } from '../id/identity.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Applicant } from '../membership/application-desk.ts';
import type { LedgerEntry } from '../membership/member-ledger.ts';
import type { PipeService } from '../pipe/pipe.ts';
import type { Platform } from '../platform/platform.ts';
import type { RendezvousClientView, RendezvousPart } from '../rendezvous/rendezvous-part.ts';
import type { RendezvousServerInit } from '../rendezvous/rendezvous-server.ts';
import type { BoundStatus, MemberGrant } from './peer.ts';

/** What a part of a peer can use of the rest. */
export interface PeerPartContext {
  readonly platform: Platform;
  readonly identity: Identity;
  readonly groups: Groups;
  readonly store: AdvertisementStore;
  readonly pipes: PipeService;
}

export interface InviteOptions {
  readonly lifetimeMs?: number;
  readonly uses?: number;
  readonly roles?: readonly string[];
}

/** What an administrator does; each method rejects with `refused` where the own credential does not allow it. */
export interface Administrator {
  invite(group: GroupId, options: InviteOptions): Promise<{ readonly code: string }>;
  setPassword(group: GroupId, password: string): Promise<void>;
  setCharter(group: GroupId, change: Partial<CharterContent>): Promise<void>;
  applications(group: GroupId): readonly Applicant[];
  approve(group: GroupId, serial: string): Promise<void>;
  reject(group: GroupId, serial: string): Promise<void>;
  /** `known`: a credential of the member, where the ledger may have none. */
  grant(group: GroupId, peer: PeerId, grant: MemberGrant, known?: Credential): Promise<unknown>;
  revoke(group: GroupId, peer: PeerId, known?: Credential): Promise<void>;
  /** Whom this administrator has admitted. */
  ledger(group: GroupId): readonly LedgerEntry[];
}

/** A running part: what it adds to a peer that has it. */
export interface RunningPart {
  readonly administrator?: Administrator;
  /** Makes the serving half of one group's rendezvous service. */
  rendezvous?(init: Omit<RendezvousServerInit, 'mode'>): (client: RendezvousClientView) => RendezvousPart;
  /** Whether the peer admits members to any group now; the local network is told. */
  admits?(): boolean;
  status(): Readonly<Record<string, BoundStatus>>;
  close(): Promise<void>;
}

/** Adds a part to a peer as it is assembled. A peer holds the code of the parts that it was given, and of no others. */
export type PeerPart = (context: PeerPartContext) => RunningPart;
