import type { Advertisement } from '@pipevine/runtime';
import { beforeAll, describe, expect, it } from 'vitest';
import { groupOf } from '../simulator/household.ts';
import { addressOf, discovered } from '../simulator/overlay.ts';
import type { Machine } from '../simulator/simulation.ts';
import { DAY, failureOf, HOUR, Home, identityOf } from './home.ts';
import type { HostileMember } from './hostile-member.ts';
import { introduction, madeAdvertisement } from './made-advertisement.ts';

let home: Home;
let edge: Machine;
let other: Machine;
let carrier: HostileMember;
/** What the carrier brings, the error that it sees, and the counter that shows it. */
let cases: {
  readonly what: string;
  readonly encoded: readonly Uint8Array[];
  readonly code: string | undefined;
  readonly counter: string | undefined;
}[];

const encodedOf = (...all: readonly Advertisement[]) => all.map(({ encoded }) => encoded);

async function ownItem(machine: Machine, key: string): Promise<Advertisement> {
  const [item] = await home.clock.run(discovered(machine, { kind: 'content', key, publisher: machine.peer.id }));
  return item ?? expect.fail();
}

beforeAll(async () => {
  home = await Home.make('advertisements');
  const { clock, id, gateway } = home;
  const expiredCredential = await home.credential('expired', ['member']);
  clock.stepWall(50 * DAY);
  await clock.runFor(2 * HOUR);
  edge = await home.edge('one');
  other = await home.edge('two');
  const group = groupOf(edge);

  // Runs out by itself, and its publisher is gone.
  const passing = await home.edge('passing');
  const ended = await ownItem(passing, 'item');
  await clock.run(passing.stop());
  // Versions that were followed by another, and by a withdrawal.
  await clock.run(group.publish({ kind: 'content', key: 'changed', name: 'first version' }));
  const first = await ownItem(edge, 'changed');
  await clock.run(group.publish({ kind: 'content', key: 'changed', name: 'second version' }));
  await clock.run(group.publish({ kind: 'content', key: 'taken-back', name: 'taken back' }));
  const takenBack = await ownItem(edge, 'taken-back');
  await clock.run(group.withdraw({ kind: 'content', key: 'taken-back' }));
  await clock.runFor(3 * HOUR);

  const revokedCredential = await home.credential('revoked', ['member']);
  await clock.run(groupOf(gateway).revoke(identityOf('revoked').id));
  const guestCredential = await home.credential('guest', ['guest']);
  const nowMs = clock.wallMs();
  const by = (name: string, credential: Uint8Array) =>
    encodedOf(introduction(identityOf(name), id, nowMs, credential), madeAdvertisement(identityOf(name), id, nowMs));
  const forged = madeAdvertisement(edge.peer.identity, id, nowMs + 1).encoded;
  const elsewhere = await Home.make('elsewhere');
  const unproven = { code: undefined, counter: 'advertisements unproven' };
  const replayed = { code: undefined, counter: 'advertisements replayed' };
  cases = [
    { what: 'of one whose credential ran out', encoded: by('expired', expiredCredential), ...unproven },
    { what: 'of one who was revoked', encoded: by('revoked', revokedCredential), ...unproven },
    { what: 'of one who may not publish', encoded: by('guest', guestCredential).slice(1), ...unproven },
    { what: 'of one who shows the credential of another', encoded: by('stranger', guestCredential), ...unproven },
    {
      what: 'with a signature that is not one',
      encoded: [forged.map((byte, i) => (i === forged.length - 1 ? byte ^ 1 : byte))],
      code: 'forged',
      counter: 'advertisements forged',
    },
    {
      what: 'of another group',
      encoded: encodedOf(madeAdvertisement(edge.peer.identity, elsewhere.id, nowMs)),
      code: 'refused',
      counter: 'advertisements forged',
    },
    { what: 'that ran out', encoded: encodedOf(ended), ...replayed },
    { what: 'that was followed by another', encoded: encodedOf(first), ...replayed },
    { what: 'that was withdrawn', encoded: encodedOf(takenBack), ...replayed },
  ];
  carrier = await home.hostile('carrier');
  // Its own credential is to be good with the clock an hour back, too.
  await clock.runFor(2 * HOUR);
});

/** Brings each of them, and looks what the others find then. */
async function expectNothingBelieved(): Promise<void> {
  for (const { what, encoded, code, counter } of cases) {
    const before = counter === undefined ? 0 : home.dropped(counter);
    const failure = await home.clock.run(failureOf(carrier.push(home.gateway.peer.id, encoded)));
    expect(failure?.code, what).toBe(code);
    if (counter !== undefined) expect(home.dropped(counter), what).toBeGreaterThan(before);
  }
  for (const machine of [other, edge]) {
    const found = await home.clock.run(discovered(machine, { kind: 'content' }));
    expect(found.map(({ name }) => name).sort()).toEqual(['item of one', 'item of two', 'second version']);
  }
}

async function reboot(): Promise<void> {
  home.gateway.crash();
  await home.clock.run(home.gateway.start());
  await home.clock.runFor(30_000);
  await home.clock.run(carrier.link(addressOf('gateway')));
  await home.clock.runFor(1_000);
}

describe('an advertisement that does not count', () => {
  it('is dropped and counted, and found by nobody', async () => {
    await expectNothingBelieved();
  });

  it('is dropped after a reboot of the receiver', async () => {
    await reboot();
    await expectNothingBelieved();
  });

  it('is dropped with the clock an hour back, also after a reboot with that clock', async () => {
    home.clock.stepWall(-HOUR);
    await expectNothingBelieved();
    await reboot();
    await expectNothingBelieved();
    home.clock.stepWall(HOUR);
  });
});
