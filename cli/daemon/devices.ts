import type { Peer, PeerGroup, PeerInit, Platform, ServiceDirectory } from '@pipevine/runtime';
import type { UdpLocalNetworkInit } from '@pipevine/transports';
import type { Settings } from '../config/settings.ts';
import type { Log } from './log.ts';
import type { JsonObject } from './reports.ts';

/** The devices that a gateway stands in for, as the daemon sees them. */
export interface Devices {
  /** Where devices connect: of the embedded broker each address, else the broker in use. */
  readonly mqtt: readonly string[];
  status(): { readonly facts: JsonObject; readonly queues: JsonObject };
  close(): Promise<void>;
}

export interface DevicesInit {
  readonly peer: Peer;
  /** The group in which devices become peers; made when it is asked for first, so ask when nothing else can fail. */
  readonly homeGroup: () => Promise<PeerGroup>;
  readonly platform: Platform;
  readonly settings: Settings;
  readonly log: Log;
}

/** What only a gateway loads; an edge peer must not even contain it. */
export interface GatewayModule {
  /** Makes a peer that can also have groups of its own, and admit others to them. */
  createPeer(init: PeerInit): Promise<Peer>;
  /** Shows the peer to Zeroconf browsers. */
  dnsSdDirectory(init: UdpLocalNetworkInit): ServiceDirectory;
  startDevices(init: DevicesInit): Promise<Devices>;
}
