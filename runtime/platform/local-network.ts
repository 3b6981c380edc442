/** One packet heard on the local network. */
export interface LocalPacket {
  readonly bytes: Uint8Array;
  /** Host part of the sender's address, as it stands in an EndpointAddress. A hint, like all of discovery. */
  readonly host: string;
}

export interface LocalNetworkInit {
  readonly onPacket: (packet: LocalPacket) => void;
  /** An interface came, went or changed its address: time to announce again. */
  readonly onChange: () => void;
}

export interface LocalNetworkSession {
  /** Sends one packet, at most 1,200 bytes, to every peer on each local link. A failure is counted, never thrown. */
  send(bytes: Uint8Array): void;
  close(): Promise<void>;
}

/** The local link as a place to be heard: packets to all peers near by. */
export interface LocalNetwork {
  /** Rejects with code `multicast-unavailable`, saying how to go on without. */
  open(init: LocalNetworkInit): Promise<LocalNetworkSession>;
}
