/** What the local network did and refused so far. */
export interface UdpCounters {
  sent: number;
  received: number;
  /** Sends that the system refused, or that waited behind too many others. */
  sendFailures: number;
  /** Interfaces on which multicast could not be joined or sent. */
  interfaceFailures: number;
  /** Packets to send or received beyond 1,200 bytes. */
  tooLarge: number;
  /** Packets from an address outside the subnets of this machine. */
  offLink: number;
  rateLimited: number;
  /** DNS queries answered, and what was refused before it was decoded or answered. */
  dnsAnswered: number;
  dnsMalformed: number;
  dnsOffLink: number;
  dnsRateLimited: number;
  /** Interfaces on which announcing by DNS-SD did not work; peers still find each other. */
  dnsUnavailable: number;
}

export function newUdpCounters(): UdpCounters {
  return {
    sent: 0,
    received: 0,
    sendFailures: 0,
    interfaceFailures: 0,
    tooLarge: 0,
    offLink: 0,
    rateLimited: 0,
    dnsAnswered: 0,
    dnsMalformed: 0,
    dnsOffLink: 0,
    dnsRateLimited: 0,
    dnsUnavailable: 0,
  };
}
