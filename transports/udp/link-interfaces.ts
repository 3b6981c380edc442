import { BlockList, isIP } from 'node:net';
import type { NetworkInterfaceInfo } from 'node:os';

/** What `os.networkInterfaces` returns. */
export type InterfaceTable = NodeJS.Dict<NetworkInterfaceInfo[]>;

/** One interface of the machine that may carry multicast. */
export interface LinkInterface {
  readonly name: string;
  readonly loopback: boolean;
  /** Its first IPv4 address: names it to the system when multicast is sent. */
  readonly ipv4: string | undefined;
  /** Whether it has an IPv6 address that multicast can be sent from. */
  readonly hasIPv6: boolean;
  /** All its addresses, IPv4 first. */
  readonly addresses: readonly { readonly address: string; readonly family: 'IPv4' | 'IPv6' }[];
}

/** Interfaces that are served; virtual switches make hundreds, and each costs two sockets. */
export const MAX_INTERFACES = 16;

/** The interfaces to be heard on: loopback too, so that peers on a machine without a network find each other. */
export function linkInterfaces(table: InterfaceTable): LinkInterface[] {
  return Object.entries(table)
    .map(([name, infos = []]) => ({
      name,
      loopback: infos.some(({ internal }) => internal),
      ipv4: infos.find(({ family }) => family === 'IPv4')?.address,
      // Loopback is served over IPv4, which it always has.
      hasIPv6: infos.some(({ family, internal }) => family === 'IPv6' && !internal),
      addresses: infos
        .map(({ address, family }) => ({ address, family }))
        .sort((a, b) => a.family.localeCompare(b.family)),
    }))
    .filter(({ ipv4, hasIPv6 }) => ipv4 !== undefined || hasIPv6)
    .slice(0, MAX_INTERFACES);
}

/** Says of an address whether its owner is on one of the links, as far as subnets tell. */
export function onLinkCheck(table: InterfaceTable, names: readonly string[]): (address: string) => boolean {
  const subnets = new BlockList();
  for (const name of names) {
    for (const { cidr, family } of table[name] ?? []) {
      const [network, prefix] = cidr?.split('/') ?? [];
      if (network !== undefined) subnets.addSubnet(network, Number(prefix), family === 'IPv6' ? 'ipv6' : 'ipv4');
    }
  }
  return (address) => {
    const [plain = '', zone] = address.split('%');
    const family = isIP(plain) === 6 ? 'ipv6' : 'ipv4';
    // A link-local address names its link itself, where the system tells the zone.
    if (zone !== undefined && /^fe[89ab]/i.test(plain)) return names.includes(zone);
    return isIP(plain) !== 0 && subnets.check(plain, family);
  };
}
