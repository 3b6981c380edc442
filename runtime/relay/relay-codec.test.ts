import { expect, test } from 'vitest';
import { decodeRouteBody, encodeRouteBody } from '../advertisement/route-body.ts';
import { peerIdFromBytes } from '../id/peer-id.ts';
import { decodePipeReport, encodePipeReport } from '../pipe/pipe-report.ts';
import { askingForRelay, asksForRelay, readRelayedHead, readRelayedPath, throughRelay } from '../pipe/relayed-path.ts';
import { decodeRelayGrant, decodeRelayRequest, encodeRelayGrant, encodeRelayRequest } from './relay-codec.ts';

const hex = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
const leaseId = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);

test('the messages of leases are as the protocol has them', () => {
  const lease = { type: 'lease', leaseId: undefined, lifetimeMs: 600_000 } as const;
  expect(hex(encodeRelayRequest(lease))).toBe('a20100031a000927c0');
  expect(hex(encodeRelayRequest({ type: 'cancel', leaseId }))).toBe('a2010102480102030405060708');
  expect(hex(encodeRelayGrant({ leaseId, lifetimeMs: 600_000 }))).toBe('a202480102030405060708031a000927c0');
  expect(decodeRelayRequest(encodeRelayRequest(lease))).toEqual(lease);
  expect(decodeRelayGrant(encodeRelayGrant({ leaseId, lifetimeMs: 5_000 }))).toEqual({ leaseId, lifetimeMs: 5_000 });
});

test('a route names relays, eight at most', () => {
  const relays = Array.from({ length: 9 }, (_, i) => peerIdFromBytes(new Uint8Array(32).fill(i + 1)));
  expect(decodeRouteBody(encodeRouteBody({ relays })).relays).toEqual(relays.slice(0, 8));
  expect(() => decodeRouteBody(new Uint8Array([0x81, 0x41, 1]))).toThrow(
    expect.objectContaining({ code: 'malformed' }),
  );
});

test('each relay adds a hop and keeps frames within its links, four at most', () => {
  const session = new Uint8Array([0, 9, 9]);
  expect(readRelayedPath(session)).toEqual({ path: undefined, session });
  let passed = askingForRelay(session, 65_000);
  expect(hex(passed)).toBe('0200fde8000909');
  expect(asksForRelay(passed)).toBe(true);
  expect(readRelayedPath(passed).path).toBeUndefined();
  for (const [hops, bytes] of [[1, 65_000] as const, [2, 1_200] as const, [3, 1_200] as const, [4, 1_200] as const]) {
    passed = throughRelay(passed, hops === 2 ? 1_200 : 65_000);
    expect(readRelayedPath(passed)).toEqual({ path: { hops, maxPayloadBytes: bytes }, session });
  }
  expect(() => throughRelay(passed, 1_200)).toThrow(expect.objectContaining({ code: 'refused' }));
  for (const bytes of [[2], [2, 0, 1], [2, 0, 0, 0], [2, 5, 9, 9], [2, 255, 255, 255]]) {
    expect(() => readRelayedPath(new Uint8Array(bytes))).toThrow(expect.objectContaining({ code: 'malformed' }));
  }
});

test('a binder names the relays after the first, and all of them stay to the end', () => {
  const session = new Uint8Array([0, 9]);
  const [x, y, z, more] = [1, 2, 3, 4].map((byte) => peerIdFromBytes(new Uint8Array(32).fill(byte)));
  if (!x || !y || !z || !more) throw new Error('no ids');
  expect(hex(askingForRelay(session, 65_000, []))).toBe('0300fde8000009');
  expect(hex(askingForRelay(session, 65_000, [x]))).toBe(`0300fde801${'01'.repeat(32)}0009`);
  let passed = askingForRelay(session, 65_000, [x, y, z]);
  expect(asksForRelay(passed)).toBe(true);
  for (const hops of [1, 2, 3, 4]) {
    passed = throughRelay(passed, 1_200, [more]);
    expect(readRelayedHead(passed)).toEqual({ hops, maxPayloadBytes: 1_200, named: [x, y, z] });
    expect(readRelayedPath(passed)).toEqual({ path: { hops, maxPayloadBytes: 1_200 }, session });
  }
  expect(() => throughRelay(passed, 1_200)).toThrow(expect.objectContaining({ code: 'refused' }));
  expect(readRelayedHead(throughRelay(askingForRelay(session, 9_000), 9_000, [x])).named).toEqual([x]);
  expect(() => askingForRelay(session, 9_000, [x, y, z, more])).toThrow(
    expect.objectContaining({ code: 'invalid-argument' }),
  );
});

test('a way that is cut short, too long, or a loop is malformed', () => {
  const id = (byte: number): number[] => Array.from({ length: 32 }, () => byte);
  const heads = [
    [3, 0, 9, 9],
    [3, 0, 9, 9, 1, ...id(1).slice(1)],
    [3, 0, 9, 9, 4, ...id(1), ...id(2), ...id(3), ...id(4)],
    [3, 0, 9, 9, 255],
    [3, 0, 9, 9, 2, ...id(1), ...id(1)],
    [3, 0, 9, 9, 3, ...id(1), ...id(2), ...id(1)],
    [3, 3, 9, 9, 1, ...id(1)],
    [3, 5, 9, 9, 3, ...id(1), ...id(2), ...id(3)],
  ];
  for (const head of heads) {
    for (const read of [readRelayedHead, readRelayedPath]) {
      expect(() => read(new Uint8Array(head))).toThrow(expect.objectContaining({ code: 'malformed' }));
    }
  }
});

test('an acknowledgement is read as it was written', () => {
  const ranges = [[7, 9] as const, [11, 11] as const];
  for (const report of [
    { next: 5, limit: 100, ranges: [] },
    { next: 5, limit: 100, ranges },
    { next: 5, limit: 100, ranges, ended: 'done' },
    { next: 5, limit: 100, ranges: [], ended: 'timeout' },
    { next: 5, limit: 100, ranges, asks: true },
  ]) {
    expect(decodePipeReport(encodePipeReport(report))).toEqual(report);
  }
  for (const bytes of [[0x80], [0x82, 1, 0x61, 0x61], [0x83, 5, 1, 0x81, 0x82, 5, 6], [0xff]]) {
    expect(() => decodePipeReport(new Uint8Array(bytes))).toThrow(expect.objectContaining({ code: 'malformed' }));
  }
});
