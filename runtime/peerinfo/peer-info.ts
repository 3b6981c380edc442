import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { EndpointAddress } from '../platform/transport.ts';

/** One link of the peer that was asked. */
export interface PeerInfoLink {
  readonly peer: PeerId;
  readonly transport: string;
  readonly address: EndpointAddress;
  /** Undefined before the first measurement. */
  readonly rttMs: number | undefined;
}

/** What a peer says of itself (JXTA's Peer Information Protocol). Nothing of it is proven. */
export interface PeerInfo {
  readonly name: string;
  readonly version: string;
  /** As in PeerInit: `edge`, `gateway` ... */
  readonly roles: readonly string[];
  readonly uptimeMs: number;
  /** Over all links since the peer started, records as they were on the wire. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Resident memory of the process; undefined where the platform does not tell. */
  readonly memoryBytes: number | undefined;
  readonly linkCount: number;
  /** Groups that both peers are in. */
  readonly groups: readonly GroupId[];
  /** Undefined when the policy of the peer keeps them from the asker. The first 64, when there are more. */
  readonly links: readonly PeerInfoLink[] | undefined;
}

/** Who is told: members with the capability `read`, members with `administer`, or nobody. */
export type PeerInfoAudience = 'members' | 'administrators' | 'nobody';

export interface PeerInfoPolicy {
  /** All but the links. */
  readonly basics: PeerInfoAudience;
  /** Who the neighbours are, and where. */
  readonly links: PeerInfoAudience;
}
