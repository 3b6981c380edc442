import { describe, expect, it } from 'vitest';
import { peerIdFromBytes } from '../id/peer-id.ts';
import { encodeCanonical } from '../wire/encode.ts';
import {
  announcedAddresses,
  decodeLocalMessage,
  dialledAddresses,
  encodeLocalMessage,
  type LocalMessage,
} from './local-packet-codec.ts';

const peer = peerIdFromBytes(new Uint8Array(32).fill(0xab));
const full: LocalMessage = {
  type: 'query',
  peer,
  addresses: ['tcp://:7473'],
  tags: [new Uint8Array(8).fill(1)],
  gateway: true,
  admits: true,
};
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('a packet of the local network', () => {
  it('is the bytes of the documented vector', () => {
    expect(hex(encodeLocalMessage(full))).toBe(
      [
        '87', // array of 7
        '687069706576696e65', // "pipevine"
        '01', // version
        '01', // query
        `5820${'ab'.repeat(32)}`,
        '816b7463703a2f2f3a37343733', // ["tcp://:7473"]
        '81480101010101010101',
        '03', // gateway, admits
      ].join(''),
    );
  });

  it('reads what it writes', () => {
    for (const type of ['announce', 'query', 'leaving'] as const) {
      const message = { ...full, type, gateway: false };
      expect(decodeLocalMessage(encodeLocalMessage(message))).toEqual(message);
    }
  });

  it('never has more than 1,200 bytes, and keeps as many addresses and tags as fit', () => {
    const crowded: LocalMessage = {
      ...full,
      addresses: Array.from({ length: 12 }, (_, i) => `tcp://${'a'.repeat(90)}${i}:1`),
      tags: Array.from({ length: 64 }, (_, i) => new Uint8Array(8).fill(i)),
    };
    const bytes = encodeLocalMessage(crowded);
    expect(bytes.length).toBeLessThanOrEqual(1_200);
    const read = decodeLocalMessage(bytes);
    expect(read?.addresses.length).toBeGreaterThanOrEqual(4);
    expect(read?.tags).toHaveLength(64);
  });

  it('is refused whole when it ends anywhere before its end', () => {
    const bytes = encodeLocalMessage(full);
    for (let end = 11; end < bytes.length; end++) {
      expect(() => decodeLocalMessage(bytes.subarray(0, end))).toThrow(expect.objectContaining({ code: 'malformed' }));
    }
  });

  it('is ignored when it is not ours or of another version', () => {
    expect(decodeLocalMessage(new Uint8Array(0))).toBeUndefined();
    expect(decodeLocalMessage(new TextEncoder().encode('M-SEARCH * HTTP/1.1'))).toBeUndefined();
    expect(decodeLocalMessage(encodeCanonical(['pipevine', 2, 'whatever']))).toBeUndefined();
  });

  it('is refused when a member has the wrong type or size', () => {
    const id = new Uint8Array(32);
    const wrong = [
      ['pipevine', 1, 3, id, [], [], 0],
      ['pipevine', 1, 0, id.subarray(1), [], [], 0],
      ['pipevine', 1, 0, id, [1], [], 0],
      ['pipevine', 1, 0, id, ['x'.repeat(129)], [], 0],
      ['pipevine', 1, 0, id, Array.from({ length: 13 }, () => 'a'), [], 0],
      ['pipevine', 1, 0, id, [], [new Uint8Array(7)], 0],
      ['pipevine', 1, 0, id, [], [], -1],
      ['pipevine', 1, 0, id, [], []],
    ];
    for (const members of wrong) {
      expect(() => decodeLocalMessage(encodeCanonical(members))).toThrow(
        expect.objectContaining({ code: 'malformed' }),
      );
    }
  });
});

describe('addresses on the local network', () => {
  it('are announced as ports of the host they come from, then as themselves, loopback last', () => {
    const addresses = [
      'tcp://127.0.0.1:1',
      'tcp://192.168.1.5:7473',
      'tcp://[fe80::1%25eth0]:7473',
      'tcp://[2001:db8::1]:7473',
    ];
    expect(announcedAddresses(addresses)).toEqual([
      'tcp://:7473',
      'tcp://192.168.1.5:7473',
      'tcp://[2001:db8::1]:7473',
      'tcp://127.0.0.1:1',
    ]);
  });

  it('are dialled at the host that the packet came from', () => {
    expect(dialledAddresses(['tcp://:7473', 'tcp://10.0.0.1:1', 'ws://:80'], '[fe80::2%25wlan0]')).toEqual([
      'tcp://[fe80::2%25wlan0]:7473',
      'tcp://10.0.0.1:1',
      'ws://[fe80::2%25wlan0]:80',
    ]);
  });
});
