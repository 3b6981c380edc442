import { expect, test } from 'vitest';
import { candidatesOf, isPunchable, ownCandidates } from './candidate.ts';

test.each([
  'udp://203.0.113.1:4001',
  'udp://10.0.0.1:1',
  'udp://192.168.1.255:4001',
  'udp://[2001:db8::1]:4001',
  'udp://[fd00::1]:4001',
])('probes may go to %s', (address) => {
  expect(isPunchable(address, false)).toBe(true);
});

test.each([
  'udp://0.0.0.0:4001',
  'udp://127.0.0.1:4001',
  'udp://[::1]:4001',
  'udp://224.0.0.1:4001',
  'udp://255.255.255.255:4001',
  'udp://240.0.0.1:4001',
  'udp://169.254.1.1:4001',
  'udp://[ff02::1]:4001',
  'udp://[fe80::1%25eth0]:4001',
  'udp://[fe80::1]:4001',
  'udp://[::]:4001',
  'udp://[::ffff:127.0.0.1]:4001',
  'udp://[2002:7f00:1::1]:4001',
  'udp://example.org:4001',
  'udp://203.0.113.1:0',
  'udp://203.0.113.1',
  'udp://203.0.113.1:4001/path',
  'tcp://203.0.113.1:4001',
  'no address',
])('probes never go to %s because somebody says so', (address) => {
  expect(isPunchable(address, false)).toBe(false);
});

test('loopback counts only where there is nothing else', () => {
  expect(isPunchable('udp://127.0.0.1:4001', true)).toBe(true);
  expect(ownCandidates(['tcp://10.0.0.1:1', 'udp://127.0.0.1:1', 'udp://10.0.0.1:1'])).toEqual(['udp://10.0.0.1:1']);
  expect(ownCandidates(['udp://127.0.0.1:1', 'udp://[fe80::1%25eth0]:1'])).toEqual(['udp://127.0.0.1:1']);
});

test('what relays saw comes first, none comes twice, and there are sixteen at most', () => {
  const own = Array.from({ length: 20 }, (_, i) => `udp://10.0.0.1:${i + 1}`);
  const candidates = candidatesOf(['udp://203.0.113.1:1', 'udp://10.0.0.1:3'], own);
  expect(candidates.slice(0, 3)).toEqual(['udp://203.0.113.1:1', 'udp://10.0.0.1:3', 'udp://10.0.0.1:1']);
  expect([candidates.length, new Set(candidates).size]).toEqual([16, 16]);
});
