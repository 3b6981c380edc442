import { MemoryStorage, VirtualClock } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { base32Encode } from '../id/base32.ts';
import { MemberLedger } from './member-ledger.ts';
import { newHome } from './testing/test-members.ts';

async function ledgerAt() {
  const { gateway, edge, group } = await newHome();
  const clock = new VirtualClock();
  const storage = new MemoryStorage({ clock });
  const issue = (version = 0, serial = base32Encode(new Uint8Array(16))) =>
    gateway.groups.issue(group, { subject: edge.identity.id, roles: ['member'], serial, version });
  return { ledger: new MemberLedger(storage), storage, clock, group, issue, subject: edge.identity.id };
}

describe('the member ledger', () => {
  it('has the latest credential of each serial, on disk first', async () => {
    const { ledger, storage, clock, group, issue, subject } = await ledgerAt();
    await clock.run(ledger.record(issue(), { name: 'lamp', by: 'code' }));
    await clock.run(ledger.record(issue(5), { name: '', by: 'renewal' }));
    storage.failNextSync('storage-full');
    await expect(clock.run(ledger.record(issue(6), { name: '', by: 'grant' }))).rejects.toMatchObject({
      code: 'storage-full',
    });
    const restarted = new MemberLedger(storage.crash());
    for (const each of [ledger, restarted]) {
      expect(each.list(group)).toMatchObject([{ subject, name: 'lamp', by: 'code', version: 5 }]);
      const [entry] = each.list(group);
      expect(entry && each.credential(entry)).toEqual(issue(5).encoded);
    }
    expect(restarted.ofPeer(group, subject)?.version).toBe(5);
  });

  it('drops who was written longest ago when it is full', async () => {
    const { ledger, storage, clock, group, issue } = await ledgerAt();
    const template = issue();
    const serial = (i: number) =>
      base32Encode(
        new Uint8Array(16)
          .fill(1)
          .with(0, i >> 8)
          .with(1, i & 255),
      );
    for (let i = 0; i < 10_001; i++) {
      void ledger.record({ ...template, serial: serial(i) }, { name: '', by: 'open' });
      if (i % 1_000 === 0 || i > 9_990) await clock.runFor(1_000);
    }
    expect(ledger.status).toEqual({ used: 10_000, limit: 10_000, dropped: 1 });
    expect(ledger.find(group, serial(0))).toBeUndefined();
    expect(ledger.find(group, serial(10_000))).toBeDefined();
    expect([...storage.scan('member-ledger')]).toHaveLength(10_000);
  });

  it('forgets one, or a whole group', async () => {
    const { ledger, storage, clock, group, issue } = await ledgerAt();
    const other = base32Encode(new Uint8Array(16).fill(9));
    await clock.run(ledger.record(issue(), { name: '', by: 'code' }));
    await clock.run(ledger.record(issue(0, other), { name: '', by: 'code' }));
    await clock.run(ledger.remove(group, other));
    expect(ledger.list(group)).toHaveLength(1);
    await clock.run(ledger.remove(group));
    expect(ledger.list(group)).toEqual([]);
    expect([...storage.scan('member-ledger')]).toEqual([]);
  });
});
