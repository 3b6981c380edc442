import { expect, it } from 'vitest';
import { relaysText } from './relays-text.ts';

const at = ['urn:pipevine:peer:kifjhq2dxx', 'urn:pipevine:peer:mrhttdanxx'];

it.each([
  [{ serving: false, leases: at, clients: 0 }, 'reached over kifjhq2d, mrhttdan'],
  [{ serving: true, leases: [], clients: 1 }, 'serving, 1 lease granted'],
  [{ serving: true, leases: at.slice(1), clients: 2 }, 'reached over mrhttdan; serving, 2 leases granted'],
  [{ serving: false, leases: [], clients: 0 }, undefined],
  [null, undefined],
])('says what relays do: %j', (status, text) => {
  expect(relaysText(status)).toBe(text);
});
