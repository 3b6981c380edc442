import { expect, it } from 'vitest';
import { firstBootUnits } from './first-boot-units.ts';

const units = firstBootUnits('/usr/bin/pipevine');

it('run only where a card has a setup file, in either place', () => {
  for (const text of Object.values(units)) {
    expect(text.match(/^ConditionPathExists=.*$/gm)).toEqual([
      'ConditionPathExists=|/boot/firmware/pipevine-setup.txt',
      'ConditionPathExists=|/boot/pipevine-setup.txt',
    ]);
  }
});

it('stand around the service: the setup before, joining after', () => {
  expect(units['pipevine-first-boot.service']).toMatch(/^Before=.* pipevine\.service /m);
  expect(units['pipevine-join.service']).toMatch(/^After=pipevine\.service$/m);
});
