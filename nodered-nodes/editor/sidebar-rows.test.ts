import { expect, test } from 'vitest';
import type { NamedRoute } from '../admin/named-route.ts';
import { type RoutedThing, sidebarRows } from './sidebar-rows.ts';

const ROUTE: NamedRoute = {
  state: 'direct',
  transport: 'tcp',
  rttMs: 2,
  via: [],
  text: 'a link leads to it',
  advice: null,
};
const affordance = (name: string) => ({ name, title: '', type: 'number', readOnly: false, writeOnly: false, unit: '' });
const thing = (id: string, title: string, more: Partial<RoutedThing> = {}): RoutedThing => ({
  id,
  title,
  peer: id,
  connector: 'mqtt',
  availability: 'up',
  properties: [affordance('temperature'), affordance('power')],
  actions: [affordance('blink')],
  events: [affordance('pressed')],
  route: ROUTE,
  ...more,
});
const overlay = {
  things: [
    thing('a', 'Hall lamp'),
    thing('b', 'Cellar', { properties: [affordance('humidity')], actions: [], events: [] }),
  ],
  peers: [{ id: 'p', name: 'gateway', route: ROUTE }],
};
const keys = (query: string, ...open: string[]) => sidebarRows(overlay, query, new Set(open)).map(({ key }) => key);

test('what is folded shows its heading alone', () => {
  expect(keys('')).toEqual(['things', 'peers']);
  expect(keys('', 'things', 'peers')).toEqual(['things', 'thing a', 'thing b', 'peers', 'peer p']);
});

test('an unfolded thing shows properties, actions, events, and the route to it', () => {
  const open = keys('', 'things', 'thing a');
  expect(open.slice(2, 7)).toEqual([
    'thing a property temperature',
    'thing a property power',
    'thing a action blink',
    'thing a event pressed',
    'thing a route',
  ]);
});

test('an unfolded peer shows the route to it', () => {
  expect(keys('', 'peers', 'peer p')).toEqual(['things', 'peers', 'peer p', 'peer p route']);
});

test('a search for a title leaves the things that have all its words', () => {
  expect(keys('LAMP hall', 'things')).toEqual(['things', 'thing a', 'peers']);
  expect(keys('nothing of the kind', 'things')).toEqual(['things', 'peers']);
});

test('a search for a property unfolds the thing and shows that one', () => {
  expect(keys('humid', 'things')).toEqual(['things', 'thing b', 'thing b property humidity', 'thing b route', 'peers']);
  expect(keys('hall temp', 'things')).toEqual([
    'things',
    'thing a',
    'thing a property temperature',
    'thing a route',
    'peers',
  ]);
});

test('the headings count what is found, also while folded', () => {
  const rows = sidebarRows(overlay, 'cellar', new Set());
  expect(rows.map((row) => (row.kind === 'section' ? row.count : undefined))).toEqual([1, 0]);
});
