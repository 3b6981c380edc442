/**
 * How a router translates (RFC 4787). `cone`: one mapping for all destinations, and only who was sent to may answer, from
 * that port (port-restricted). `full-cone`: the same mapping, and anybody may send to it. `symmetric`: another mapping for
 * each destination, and only that one may answer.
 */
export type NatKind = 'cone' | 'symmetric' | 'full-cone';

const MASQUERADE: Readonly<Record<NatKind, string>> = {
  cone: 'masquerade',
  'full-cone': 'masquerade',
  symmetric: 'masquerade fully-random',
};

/**
 * The router's nftables rules, for interfaces `lan` and `wan`. Linux keeps the source port of a mapping where it can, so a
 * full cone may remember the inside address by that port. IPv6 is routed, not translated: what was not asked for stays out.
 */
export function natRules(kind: NatKind): string {
  const remember = ['udp', 'tcp'].map((protocol) => `update @${protocol}_inside { ${protocol} sport : ip saddr }`);
  const inside = ['udp', 'tcp'].map(
    (protocol) =>
      `map ${protocol}_inside { type inet_service : ipv4_addr; size 65536; flags dynamic,timeout; timeout 120s; }`,
  );
  const isOpen = kind === 'full-cone';
  return `
table ip nat {
  ${isOpen ? inside.join('\n  ') : ''}
  chain remember {
    type filter hook forward priority 0;
    ${isOpen ? remember.map((rule) => `oifname wan ${rule}`).join('\n    ') : ''}
  }
  chain inwards {
    type nat hook prerouting priority dstnat;
    ${isOpen ? 'iifname wan dnat to udp dport map @udp_inside' : ''}
    ${isOpen ? 'iifname wan dnat to tcp dport map @tcp_inside' : ''}
  }
  chain outwards {
    type nat hook postrouting priority srcnat;
    oifname wan ${MASQUERADE[kind]}
  }
}
table inet firewall {
  chain through {
    type filter hook forward priority 10; policy drop;
    ct state established,related accept
    iifname lan accept
    ct status dnat accept
  }
  chain to_router {
    type filter hook input priority 0;
    iifname wan ct state new meta l4proto { tcp, udp } drop
  }
}
`;
}
