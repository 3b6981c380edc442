import { statSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { STATUS_FILE, StatusFile } from './status-file.ts';
import { MadeUpBoard } from './testing/made-up-board.ts';

let board: MadeUpBoard;
beforeEach(() => {
  board = new MadeUpBoard();
});
afterEach(() => board.remove());

const at = (seconds: number) => ({ wallMs: 1_800_000_000_000 + seconds * 1_000, monotonicMs: seconds * 1_000 });
const status = () => new StatusFile(board.at('/boot/firmware'));
const file = () => statSync(board.at(`/boot/firmware/${STATUS_FILE}`)).ino;

it('is not written when it says the same already, be it from before a restart', () => {
  status().write({ state: 'Joined.', group: 'Home' }, at(0));
  const before = [file(), board.status];
  status().write({ state: 'Joined.', group: 'Home' }, at(500));
  expect([file(), board.status]).toEqual(before);
});

it('is written at once when the state changes, and after a minute when its details do', () => {
  const writer = status();
  writer.write({ state: 'Waiting.', problems: ['a'] }, at(0));
  writer.write({ state: 'Waiting.', problems: ['b'] }, at(59));
  expect(board.status).toContain('Problem:   a\r\n');
  writer.write({ state: 'Waiting.', problems: ['b'] }, at(60));
  expect(board.status).toContain('Problem:   b\r\n');
  writer.write({ state: 'Joined.' }, at(61));
  expect(board.status).toMatch(/Now: {7}Joined\.\r\nSince: {5}2027-01-15T08:01:01\.000Z/);
});

it('takes the place of what somebody else has left there', () => {
  board.write(`/boot/firmware/${STATUS_FILE}`, new Uint8Array(1024 * 1024));
  status().write({ state: 'Joined.' }, at(0));
  expect(board.status.startsWith('Pipevine on this board\r\n')).toBe(true);
});
