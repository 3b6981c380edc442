import { MemoryStorage, seededRandom, VirtualClock } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupMembership, GroupsChange } from '../group/groups.ts';
import { type GroupId, groupIdFromBytes } from '../id/group-id.ts';
import { type PendingApplication, PendingApplications } from './pending-applications.ts';
import { DAY } from './testing/test-members.ts';

function applicant(clock = new VirtualClock(), storage = new MemoryStorage({ clock })) {
  const asked: number[] = [];
  const ended: string[] = [];
  const listeners = new Set<(change: GroupsChange) => void>();
  const answers: (() => 'joined' | 'pending')[] = [];
  const pending = new PendingApplications({
    storage,
    clock,
    random: seededRandom(1),
    groups: {
      membership: (): GroupMembership | undefined => undefined,
      subscribe: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    ask: async () => {
      asked.push(clock.monotonicMs());
      return { state: answers.shift()?.() ?? 'pending' };
    },
    onEnd: (_, error) => ended.push(error.code),
  });
  const joined = (group: GroupId) => {
    for (const listener of listeners) listener({ change: 'joined', group });
  };
  return { clock, storage, pending, asked, ended, answers, joined };
}

function application(clock: VirtualClock, byte = 7): PendingApplication {
  const group = groupIdFromBytes(new Uint8Array(32).fill(byte));
  return { group, name: 'Home', nonce: new Uint8Array(16), askedAtMs: clock.wallMs(), addresses: ['tcp://a:1'] };
}

describe('applications that are pending', () => {
  it('are asked for again after 2 seconds, then ever more seldom, every 5 minutes at last', async () => {
    const { pending, clock, asked } = applicant();
    await clock.run(pending.add(application(clock)));
    const begunMs = clock.monotonicMs();
    await clock.runFor(3_600_000);
    const pauses = asked.map((at, i) => at - (asked[i - 1] ?? begunMs));
    expect(pauses[0]).toBeGreaterThanOrEqual(990);
    expect(pauses[0]).toBeLessThanOrEqual(2_000);
    expect(pauses[4]).toBeGreaterThan(15_000);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(300_000);
    expect(asked.length).toBeGreaterThan(15);
    expect(asked.length).toBeLessThan(40);
    pending.close();
    const { length } = asked;
    await clock.runFor(3_600_000);
    expect(asked).toHaveLength(length);
  });

  it('are over when the group has admitted this peer, durably', async () => {
    const { pending, clock, asked, storage, joined } = applicant();
    const { group } = application(clock);
    await clock.run(pending.add(application(clock)));
    joined(group);
    await clock.runFor(600_000);
    expect(asked).toEqual([]);
    expect(pending.list()).toEqual([]);
    expect(applicant(clock, storage.crash()).pending.list()).toEqual([]);
  });

  it('survive a restart', async () => {
    const { pending, clock, storage } = applicant();
    await clock.run(pending.add(application(clock)));
    pending.close();
    const restarted = applicant(clock, storage.crash());
    expect(restarted.pending.list()).toEqual(
      [application(clock)].map((each) => ({ ...each, askedAtMs: expect.any(Number) })),
    );
    await clock.runFor(2_000);
    expect(restarted.asked).toHaveLength(1);
  });

  it('end with a no, and go on when nobody is in reach', async () => {
    const { pending, clock, ended, answers } = applicant();
    await clock.run(pending.add(application(clock)));
    const fail = (code: 'timeout' | 'overloaded' | 'refused') => () => {
      throw new PipevineError(code, 'x');
    };
    answers.push(fail('timeout'), fail('overloaded'), fail('refused'));
    await clock.runFor(60_000);
    expect(answers).toEqual([]);
    expect(ended).toEqual(['refused']);
    expect(pending.list()).toEqual([]);
  });

  it('end after a week', async () => {
    const { pending, clock, ended } = applicant();
    await clock.run(pending.add(application(clock)));
    await clock.runFor(7 * DAY + 600_000);
    expect(ended).toEqual(['expired']);
    expect(pending.list()).toEqual([]);
  });

  it('can be withdrawn, and are no more than 16', async () => {
    const { pending, clock, asked } = applicant();
    for (let i = 1; i <= 16; i++) await clock.run(pending.add(application(clock, i)));
    await expect(clock.run(pending.add(application(clock, 17)))).rejects.toMatchObject({ code: 'overloaded' });
    expect(pending.status).toEqual({ used: 16, limit: 16, dropped: 0 });
    const before = asked.length;
    for (const { group } of pending.list()) await clock.run(pending.withdraw(group));
    await clock.runFor(600_000);
    expect(asked.length - before).toBeLessThanOrEqual(1);
  });
});
