import { TokenBucket } from '@pipevine/runtime';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../memory/virtual-clock.ts';
import { InterfaceWatch } from './interface-watch.ts';
import { type InterfaceTable, linkInterfaces, MAX_INTERFACES, onLinkCheck } from './link-interfaces.ts';
import { SourceRateLimit } from './source-rate-limit.ts';

const common = { netmask: '', mac: '' };
const table: InterfaceTable = {
  lo: [{ ...common, address: '127.0.0.1', family: 'IPv4', internal: true, cidr: '127.0.0.1/8' }],
  eth0: [
    { ...common, address: 'fe80::5', family: 'IPv6', internal: false, cidr: 'fe80::5/64', scopeid: 2 },
    { ...common, address: '192.168.1.5', family: 'IPv4', internal: false, cidr: '192.168.1.5/24' },
  ],
  tun0: [],
};

describe('interfaces', () => {
  it('are those with an address, loopback included', () => {
    expect(linkInterfaces(table)).toMatchObject([
      { name: 'lo', loopback: true, ipv4: '127.0.0.1', hasIPv6: false },
      { name: 'eth0', loopback: false, ipv4: '192.168.1.5', hasIPv6: true },
    ]);
  });

  it('are served up to a bound', () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`veth${i}`, table.eth0]));
    expect(linkInterfaces(many)).toHaveLength(MAX_INTERFACES);
  });

  it('tell who is on a link', () => {
    const isOnLink = onLinkCheck(table, ['lo', 'eth0']);
    for (const near of ['192.168.1.77', '127.0.0.1', 'fe80::9%eth0', 'fe80::9'])
      expect(isOnLink(near), near).toBe(true);
    for (const far of ['192.168.2.1', '8.8.8.8', '2001:db8::1', 'fe80::9%wlan0', '', 'x'])
      expect(isOnLink(far), far).toBe(false);
    expect(onLinkCheck(table, ['lo'])('192.168.1.77')).toBe(false);
  });

  it('are watched for changes', async () => {
    const clock = new VirtualClock();
    let current: InterfaceTable = table;
    const seen: InterfaceTable[] = [];
    const watch = new InterfaceWatch(
      clock,
      () => current,
      table,
      (changed) => seen.push(changed),
    );
    await clock.runFor(60_000);
    expect(seen).toEqual([]);
    current = { ...table, wlan0: table.eth0 };
    await clock.runFor(10_000);
    await clock.runFor(60_000);
    expect(seen).toEqual([current]);
    watch.stop();
    await clock.runUntilIdle();
  });
});

describe('rates', () => {
  it('let a burst through, then the steady rate', async () => {
    const bucket = new TokenBucket(3, 10, 0);
    expect([0, 0, 0, 0].map((nowMs) => bucket.take(nowMs))).toEqual([true, true, true, false]);
    expect([100, 100, 250, 300].map((nowMs) => bucket.take(nowMs))).toEqual([true, false, true, true]);
    expect([60_000, 60_000, 60_000, 60_000].map((nowMs) => bucket.take(nowMs))).toEqual([true, true, true, false]);
  });

  it('of one flooding source leave room for the others', () => {
    const limit = new SourceRateLimit(new VirtualClock(), { perSecond: 1, burst: 5 }, { perSecond: 10, burst: 20 });
    const passed = Array.from({ length: 1000 }, () => limit.admit('flood')).filter(Boolean);
    expect(passed).toHaveLength(5);
    expect(limit.admit('quiet')).toBe(true);
  });

  it('hold in total, however many sources there are', () => {
    const limit = new SourceRateLimit(new VirtualClock(), { perSecond: 1, burst: 5 }, { perSecond: 10, burst: 20 });
    const passed = Array.from({ length: 1000 }, (_, i) => limit.admit(`source ${i}`)).filter(Boolean);
    expect(passed).toHaveLength(20);
  });
});
