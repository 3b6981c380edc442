import { describe, expect, test } from 'vitest';
import { formatEndpointAddress, parseEndpointAddress } from './endpoint-address.ts';

describe('an endpoint address', () => {
  test.each([
    ['tcp://192.168.1.5:4001', { scheme: 'tcp', host: '192.168.1.5', port: 4001, path: '' }],
    ['tcp://[fe80::1%25eth0]:4001', { scheme: 'tcp', host: 'fe80::1%eth0', port: 4001, path: '' }],
    ['tcp://[::ffff:10.0.0.1]:1', { scheme: 'tcp', host: '::ffff:10.0.0.1', port: 1, path: '' }],
    ['wss://gate.example.org/pipe', { scheme: 'wss', host: 'gate.example.org', port: undefined, path: '/pipe' }],
    ['mem://a', { scheme: 'mem', host: 'a', port: undefined, path: '' }],
    ['mem://*:0', { scheme: 'mem', host: '*', port: 0, path: '' }],
    ['mqtts://broker:8883/home/pv', { scheme: 'mqtts', host: 'broker', port: 8883, path: '/home/pv' }],
  ])('%s is read and written back', (text, parts) => {
    expect(parseEndpointAddress(text)).toEqual(parts);
    expect(formatEndpointAddress(parts)).toBe(text);
  });

  test.each([
    '',
    'tcp:192.168.1.5:4001',
    'tcp://192.168.1.5:70000',
    'tcp://192.168.1.256:1',
    'tcp://1.2.3:1',
    'tcp://fe80::1:4001',
    'tcp://[fe80:::1]:4001',
    'tcp://[1:2:3:4:5:6:7:8:9]:1',
    'tcp://[fe80::1%25]:1',
    'TCP://a:1',
    'tcp://a b:1',
    'tcp://-a:1',
    'tcp://a:1/ä',
    `tcp://${'a'.repeat(600)}:1`,
  ])('%s is refused, saying what was expected', (text) => {
    expect(() => parseEndpointAddress(text)).toThrow(expect.objectContaining({ code: 'invalid-address' }));
  });
});
