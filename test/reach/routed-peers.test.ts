import { describe, expect, it } from 'vitest';
import { Home, MINUTE } from '../faults/home.ts';
import { groupOf } from '../simulator/household.ts';
import type { Machine } from '../simulator/simulation.ts';

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (words: string) => new TextEncoder().encode(words);

/** Of what lies in a row each reaches its neighbours only. */
function inARow(home: Home, row: readonly Machine[]): void {
  for (const [i, from] of row.entries()) {
    for (const to of row.slice(i + 2)) home.simulation.network.partition([from.name], [to.name]);
  }
}

async function leased(home: Home, edges: readonly Machine[]): Promise<void> {
  await home.clock.runUntil(() => edges.every((edge) => groupOf(edge).relays().leases.length > 0), 5 * MINUTE);
  await home.clock.runFor(30_000);
}

async function talk(home: Home, a: Machine, b: Machine): Promise<readonly string[]> {
  const got: string[] = [];
  groupOf(b).listen({ name: 'chat' }, (pipe) => pipe.receive((message) => void got.push(text(message))));
  const pipe = await home.clock.run(groupOf(a).connect({ peer: b.peer.id, name: 'chat' }));
  await home.clock.run(pipe.send(bytes('hello')));
  await home.clock.run(pipe.flush());
  expect(got).toEqual(['hello']);
  expect(pipe.path?.type).toBe('relayed');
  return [pipe.path?.via ?? '', ...(pipe.path?.relays ?? [])];
}

describe('peers without a common relay', () => {
  it('bind pipes over the relays of both', async () => {
    const home = await Home.make('two relays');
    const second = await home.administrator('second');
    const a = await home.edge('a');
    const b = await home.edge('b', undefined, ['gateway', 'second']);
    inARow(home, [a, home.gateway, second, b]);
    await home.clock.runFor(2 * MINUTE);
    await leased(home, [a, b]);
    const way = await talk(home, a, b);
    expect(way).toContain(home.gateway.peer.id);
  });

  it('bind pipes over three relays in a row', async () => {
    const home = await Home.make('three relays');
    const second = await home.administrator('second');
    const third = await home.administrator('third', ['gateway', 'second']);
    const a = await home.edge('a');
    const b = await home.edge('b', undefined, ['gateway', 'second', 'third']);
    inARow(home, [a, home.gateway, second, third, b]);
    await home.clock.runFor(2 * MINUTE);
    await leased(home, [a, b]);
    await talk(home, a, b);
  });
});
