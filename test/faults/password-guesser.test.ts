import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addressOf } from '../simulator/overlay.ts';
import type { Machine } from '../simulator/simulation.ts';
import { failureOf, Home, MINUTE } from './home.ts';

const PASSWORD = 'correct horse battery';
let home: Home;
let edges: Machine[];

beforeEach(async () => {
  home = await Home.make('guesser', {}, { policy: { type: 'password' }, password: PASSWORD });
  edges = [await home.edge('one'), await home.edge('two')];
});

afterEach(async () => {
  await home.simulation.finish();
});

const stranger = (name: string) => home.simulation.start(name, { localDiscovery: false });

async function guess(machine: Machine, password: string): Promise<string> {
  const addresses = [addressOf('gateway')];
  const failure = await home.clock.run(failureOf(machine.peer.joinGroup(home.id, { password, addresses })));
  if (failure === undefined) return 'joined';
  expect(failure.code).toBe('refused');
  return failure.message;
}

describe('a guesser of passwords', () => {
  it('is told of five guesses a minute that they are wrong, of no other anything', async () => {
    const guesser = await stranger('guesser');
    const told: string[] = [];
    for (let i = 0; i < 12; i++) told.push(await guess(guesser, `wrong guess ${i}`));
    const wrong = told.filter((message) => message.includes('not the password'));
    const late = told.filter((message) => message.includes('Too many'));
    expect([wrong.length, late.length]).toEqual([5, 7]);
    // All are alike: nothing says how near a guess was.
    expect(new Set(told).size).toBe(2);
    // Not even the right one is told apart from then on.
    expect(await guess(guesser, PASSWORD)).toBe(late[0]);
    expect(home.dropped('join attempts')).toBeGreaterThanOrEqual(8);
    expect(await home.lookups(edges)).toEqual([2, 2]);
    await home.clock.runFor(MINUTE);
    expect(await guess(guesser, PASSWORD)).toBe('joined');
  });

  it('gets thirty guesses a minute under as many names as it likes, and harms no member', async () => {
    let wrong = 0;
    for (let i = 0; i < 12; i++) {
      const guesser = await stranger(`guesser-${i}`);
      for (let n = 0; n < 4; n++) if ((await guess(guesser, `guess ${i} ${n}`)).includes('not the password')) wrong++;
      guesser.crash();
    }
    expect(home.clock.monotonicMs()).toBeLessThan(MINUTE);
    expect(wrong).toBe(30);
    expect(await home.lookups(edges)).toEqual([2, 2]);
    await home.clock.runFor(MINUTE);
    expect(await guess(await stranger('honest'), PASSWORD)).toBe('joined');
  });
});
