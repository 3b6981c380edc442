import type { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import type { Endpoint, RouteSource } from '../endpoint/endpoint.ts';
import type { CharterContent } from '../group/charter.ts';
import type { Credential } from '../group/group-access.ts';
import type { Groups } from '../group/groups.ts';
import type { GroupId } from '../id/group-id.ts';
import type { Identity } from '../id/identity.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { MailboxClient, MailboxClientInit } from '../mailbox/mailbox-client.ts';
import type { MailboxServer } from '../mailbox/mailbox-server.ts';
import type { Applicant } from '../membership/application-desk.ts';
import type { LedgerEntry } from '../membership/member-ledger.ts';
import type { BindForwarder } from '../pipe/bind-forwarder.ts';
import type { PipeService } from '../pipe/pipe.ts';
import type { Platform } from '../platform/platform.ts';
import type { PunchService } from '../punch/punch-service.ts';
import type { RelayServerInit } from '../relay/relay-server.ts';
import type { RendezvousClientView, RendezvousPart } from '../rendezvous/rendezvous-part.ts';
import type { RendezvousServerInit } from '../rendezvous/rendezvous-server.ts';
import type { GroupResolver } from '../resolver/resolver.ts';
import type { BoundStatus, MemberGrant } from './peer.ts';

/** What a part of a peer can use of the rest. */
export interface PeerPartContext {
  readonly platform: Platform;
  readonly identity: Identity;
  readonly groups: Groups;
  readonly store: AdvertisementStore;
  readonly pipes: PipeService;
  readonly endpoint: Endpoint;
  readonly routes: RouteSource;
  /** Whether a pipe of a program to that peer goes over a relay now. */
  readonly isRelayed: (peer: PeerId, group: GroupId) => boolean;
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

/** What the part that relays does in one group. */
export interface GroupRelay {
  /** For the mailbox' client in the same peer. */
  readonly mailbox: Pick<MailboxServer, 'answer'>;
  /** Leases granted. */
  readonly clients: number;
  status(): Readonly<Record<string, BoundStatus>>;
  close(): Promise<void>;
}

export interface GroupRelayInit
  extends Pick<RelayServerInit, 'mayServe' | 'hostOf' | 'relaysOf' | 'router' | 'admissions'> {
  readonly resolver: GroupResolver;
}

/** A running part: what it adds to a peer that has it. */
export interface RunningPart {
  readonly administrator?: Administrator;
  /** Makes the serving half of one group's rendezvous service. */
  rendezvous?(init: Omit<RendezvousServerInit, 'mode'>): (client: RendezvousClientView) => RendezvousPart;
  /** Takes BINDs for others. */
  readonly forwarder?: BindForwarder;
  /** Serves one group as a relay. */
  relay?(init: GroupRelayInit): GroupRelay;
  /** Opens one group's mailbox. */
  mailbox?(init: MailboxClientInit): MailboxClient;
  /** Looks for direct ways to peers that are reached over relays. */
  readonly punch?: Pick<PunchService, 'openGroup' | 'relayed' | 'networkChanged' | 'report'>;
  /** Whether the peer admits members to any group now; the local network is told. */
  admits?(): boolean;
  status(): Readonly<Record<string, BoundStatus>>;
  close(): Promise<void>;
}

/** Adds a part to a peer as it is assembled. A peer holds the code of the parts that it was given, and of no others. */
export type PeerPart = (context: PeerPartContext) => RunningPart;
