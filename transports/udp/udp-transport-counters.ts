/** What the UDP transport did and refused so far. */
export interface UdpTransportCounters {
  /** Accepted connections that are open. */
  open: number;
  accepted: number;
  dialled: number;
  sent: number;
  received: number;
  /** Sends that the system refused: no route, a firewall, no memory. */
  sendFailures: number;
  /** Packets dropped instead of sent, because the system took none for long. */
  sendOverflows: number;
  /** Packets dropped because their connection, or all together, had too many waiting. */
  receiveOverflows: number;
  /** Packets received that are larger than any peer sends. */
  tooLarge: number;
  /** Packets from unknown addresses where nobody listens. */
  unheard: number;
  /** Packets from unknown addresses beyond the rate of their source, or of all. */
  rateLimited: number;
  /** Newcomers turned away because `maxConnections` were open. */
  refusedTotal: number;
  /** Newcomers turned away because `maxConnectionsPerRemote` were open from their source. */
  refusedPerRemote: number;
  /** Accepted connections that nobody started. */
  abandoned: number;
  /** Probes sent, and received; and those beyond the rate of their source, or of all. */
  probesSent: number;
  probesReceived: number;
  probesRefused: number;
}

export function newUdpTransportCounters(): UdpTransportCounters {
  return {
    open: 0,
    accepted: 0,
    dialled: 0,
    sent: 0,
    received: 0,
    sendFailures: 0,
    sendOverflows: 0,
    receiveOverflows: 0,
    tooLarge: 0,
    unheard: 0,
    rateLimited: 0,
    refusedTotal: 0,
    refusedPerRemote: 0,
    abandoned: 0,
    probesSent: 0,
    probesReceived: 0,
    probesRefused: 0,
  };
}
