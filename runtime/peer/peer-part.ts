import type { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import type { Groups } from '../group/groups.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PipeService } from '../pipe/pipe.ts';
import type { Platform } from '../platform/platform.ts';
import type { BoundStatus } from './peer.ts';

/** What a part of a peer can use of the rest. */
export interface PeerPartContext {
  readonly platform: Platform;
  readonly groups: Groups;
  readonly store: AdvertisementStore;
  readonly pipes: PipeService;
}

export interface InviteOptions {
  readonly lifetimeMs?: number;
  readonly uses?: number;
  readonly roles?: readonly string[];
}

/** A running part: what it adds to a peer that has it. */
export interface RunningPart {
  /** Makes a join code. */
  invite?(group: GroupId, options: InviteOptions): Promise<{ readonly code: string }>;
  /** Whether the peer admits members to any group now; the local network is told. */
  admits?(): boolean;
  status(): Readonly<Record<string, BoundStatus>>;
  close(): Promise<void>;
}

/** Adds a part to a peer as it is assembled. A peer holds the code of the parts that it was given, and of no others. */
export type PeerPart = (context: PeerPartContext) => RunningPart;
