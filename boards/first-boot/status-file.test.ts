import { statSync, symlinkSync, utimesSync } from 'node:fs';
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
const PATH = `/boot/firmware/${STATUS_FILE}`;
const file = () => statSync(board.at(PATH), { bigint: true });

it('is not written when it says the same already, be it from before a restart', () => {
  status().write({ state: 'Joined.', group: 'Home' }, at(0));
  utimesSync(board.at(PATH), 0, 0);
  status().write({ state: 'Joined.', group: 'Home' }, at(500));
  expect(file().mtimeMs).toBe(0n);
  expect(board.status).toContain('2027-01-15T08:00:00.000Z');
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
  board.write(PATH, new Uint8Array(1024 * 1024));
  status().write({ state: 'Joined.' }, at(0));
  expect(board.status.startsWith('Pipevine on this board\r\n')).toBe(true);
  expect(file().size).toBe(1024n);
});

it('keeps its place and its size, so that a card needs to take nothing but the text', () => {
  const writer = status();
  writer.write({ state: 'Waiting.', problems: ['a longer text than the next'] }, at(0));
  const { ino, size } = file();
  writer.write({ state: 'Joined.' }, at(1));
  expect([file().ino, file().size]).toEqual([ino, size]);
  expect(board.status).toMatch(/^Pipevine on this board\r\n\r\nNow: {7}Joined\.\r\nSince: .*\r\n *$/);
});

it('is not written to where a link leads', () => {
  board.write('/etc/other', 'as it was');
  symlinkSync(board.at('/etc/other'), board.at(PATH));
  expect(() => status().write({ state: 'Joined.' }, at(0))).toThrow('ELOOP');
  expect(board.read('/etc/other')).toBe('as it was');
});
