import { expect, test } from 'vitest';
import { decodeRouteBody, encodeRouteBody } from '../advertisement/route-body.ts';
import { peerIdFromBytes } from '../id/peer-id.ts';
import { decodePipeReport, encodePipeReport } from '../pipe/pipe-report.ts';
import { askingForRelay, asksForRelay, readRelayedPath, throughRelay } from '../pipe/relayed-path.ts';
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

test('each relay adds a hop and keeps frames within its links, three at most', () => {
  const session = new Uint8Array([0, 9, 9]);
  expect(readRelayedPath(session)).toEqual({ path: undefined, session });
  let passed = askingForRelay(session, 65_000);
  expect(hex(passed)).toBe('0200fde8000909');
  expect(asksForRelay(passed)).toBe(true);
  expect(readRelayedPath(passed).path).toBeUndefined();
  for (const [hops, bytes] of [[1, 65_000] as const, [2, 1_200] as const, [3, 1_200] as const]) {
    passed = throughRelay(passed, hops === 2 ? 1_200 : 65_000);
    expect(readRelayedPath(passed)).toEqual({ path: { hops, maxPayloadBytes: bytes }, session });
  }
  expect(() => throughRelay(passed, 1_200)).toThrow(expect.objectContaining({ code: 'refused' }));
  for (const bytes of [[2], [2, 0, 1], [2, 0, 0, 0], [2, 4, 9, 9], [2, 255, 255, 255]]) {
    expect(() => readRelayedPath(new Uint8Array(bytes))).toThrow(expect.objectContaining({ code: 'malformed' }));
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
