import { seededRandom } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { peerIdFromBytes } from '../id/peer-id.ts';
import { LeaseTable } from './lease-table.ts';

const peers = Array.from({ length: 5 }, (_, i) => peerIdFromBytes(seededRandom(`client ${i}`).bytes(32)));
const [a, b, c] = peers as [(typeof peers)[0], (typeof peers)[0], (typeof peers)[0]]; // There are five.
const fresh = { leaseId: undefined, lifetimeMs: 60_000 };
const everybody = () => true;

describe('the leases of a rendezvous', () => {
  it('keep their id when renewed by it, and get another when asked for anew', () => {
    const table = new LeaseTable(seededRandom(1));
    const first = table.grant(a, fresh, 0, everybody);
    const renewed = table.grant(a, { ...fresh, leaseId: first?.leaseId }, 50_000, everybody);
    expect(renewed?.leaseId).toEqual(first?.leaseId);
    expect(table.has(a, 109_999)).toBe(true);
    expect(table.has(a, 110_000)).toBe(false);
    const second = table.grant(a, fresh, 50_000, everybody);
    expect(second?.leaseId).not.toEqual(first?.leaseId);
    expect(table.size).toBe(1);
  });

  it('are not ended by a late cancel of an older one', () => {
    const table = new LeaseTable(seededRandom(1));
    const first = table.grant(a, fresh, 0, everybody);
    const second = table.grant(a, fresh, 1, everybody);
    expect(table.cancel(a, first?.leaseId ?? new Uint8Array(8))).toBe(false);
    expect(table.has(a, 2)).toBe(true);
    expect(table.cancel(b, second?.leaseId ?? new Uint8Array(8))).toBe(false);
    expect(table.cancel(a, second?.leaseId ?? new Uint8Array(8))).toBe(true);
    expect(table.has(a, 2)).toBe(false);
  });

  it('last no longer and no shorter than a rendezvous allows', () => {
    const table = new LeaseTable(seededRandom(1));
    expect(table.grant(a, { leaseId: undefined, lifetimeMs: 1e12 }, 0, everybody)?.lifetimeMs).toBe(600_000);
    expect(table.grant(a, { leaseId: undefined, lifetimeMs: 0 }, 0, everybody)?.lifetimeMs).toBe(10_000);
  });

  it('are bounded: expired ones and those of absent clients make room, present ones stay', () => {
    const table = new LeaseTable(seededRandom(1), 2);
    table.grant(a, fresh, 0, everybody);
    table.grant(b, fresh, 0, everybody);
    expect(table.grant(c, fresh, 1, everybody)).toBeUndefined();
    expect(table.grant(a, fresh, 1, everybody)).toBeDefined();
    expect(table.grant(c, fresh, 1, (peer) => peer !== a)).toBeDefined();
    expect([...table.peers()]).toEqual([b, c]);
    expect(table.grant(a, fresh, 60_000, everybody)).toBeDefined();
    expect([...table.peers()]).toEqual([c, a]);
    expect(table.dropped).toBe(3);
    expect(table.expire(1e9)).toBe(true);
    expect(table.size).toBe(0);
  });
});
