/** What a service announcement says to ordinary Zeroconf browsers. */
export interface ServiceAnnouncement {
  /** For example `_pipevine._tcp`. */
  readonly type: string;
  readonly name: string;
  readonly port: number;
  readonly text: Readonly<Record<string, string>>;
}

/** Where ordinary Zeroconf browsers look for services. */
export interface ServiceDirectory {
  /** Announces a service by DNS-SD (RFC 6763) until the returned announcement is closed. */
  announce(announcement: ServiceAnnouncement): Promise<{ close(): Promise<void> }>;
}
