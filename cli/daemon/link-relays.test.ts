import { describe, expect, it } from 'vitest';
import { joinLink } from './join-link.ts';
import { linkWithRelays } from './link-relays.ts';

const CODE = 'BAAAQ-EAYEA-UDAOC-AJBIF-QYDIO-B6AID-AUDQS-CYNB4-IREFJ';
const LAN = 'tcp://192.168.178.20:7447';
const PUBLIC = 'tcp://203.0.113.7:7447';

function seedsOf(own: readonly string[], relays: readonly (readonly string[])[]): readonly string[] {
  return new URL(linkWithRelays(joinLink(CODE, own), relays)).searchParams.getAll('seed');
}

describe('a link to join by from elsewhere', () => {
  it('is the same without a relay that another machine could reach', () => {
    const link = joinLink(CODE, [LAN]);
    expect(linkWithRelays(link, [])).toBe(link);
    expect(linkWithRelays(link, [['tcp://127.0.0.1:7447', 'udp://[fe80::1]:7447']])).toBe(link);
    expect(linkWithRelays(`pipevine://join/${CODE}`, [[PUBLIC]])).toBe(
      `pipevine://join/${CODE}?seed=tcp%3A%2F%2F203.0.113.7%3A7447`,
    );
  });

  it('names two own addresses at most, then one of each of two relays', () => {
    const own = [LAN, 'udp://192.168.178.20:7447', 'ws://192.168.178.20:7448'];
    const relays = [[PUBLIC, 'udp://203.0.113.7:7447'], ['tcp://198.51.100.9:7447'], ['tcp://198.51.100.10:7447']];
    expect(seedsOf(own, relays)).toEqual([...own.slice(0, 2), PUBLIC, 'tcp://198.51.100.9:7447']);
  });

  it('prefers what can be reached from everywhere', () => {
    const relay = ['tcp://127.0.0.1:7447', 'tcp://10.0.0.4:7447', 'tcp://100.64.0.1:1', 'udp://[fd00::4]:7447', PUBLIC];
    expect(seedsOf([LAN], [relay])).toEqual([LAN, PUBLIC]);
    expect(seedsOf([LAN], [relay.slice(0, 2)])).toEqual([LAN, 'tcp://10.0.0.4:7447']);
    expect(seedsOf([LAN], [relay.slice(0, 1), [LAN]])).toEqual([LAN]);
  });

  it('leaves the second relay out where the QR code would be too large', () => {
    const long = '[2001:db8:1111:2222:3333:4444:5555:6666]:7447';
    const own = [`tcp://${long}`, `udp://${long}`];
    expect(seedsOf(own, [[PUBLIC], ['tcp://198.51.100.9:7447']])).toEqual([...own, PUBLIC]);
  });
});
