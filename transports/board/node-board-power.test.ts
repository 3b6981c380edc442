import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '@pipevine/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodeClock } from '../node/node-clock.ts';
import { nodeBoardPower } from './node-board-power.ts';
import { MadeUpBoard } from './testing/made-up-board.ts';

let folder: string;
let machine: MadeUpBoard;
/** Called instead of waiting. */
let onWait: () => void;
const clock: Clock = {
  ...nodeClock,
  setTimer(_delayMs, callback) {
    onWait();
    queueMicrotask(callback);
    return { cancel: () => undefined };
  },
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipevine-power-'));
  machine = new MadeUpBoard(clock);
  onWait = () => undefined;
});

afterEach(() => rmSync(folder, { recursive: true }));

describe('a board that goes down', () => {
  it('is asked of systemd', async () => {
    machine.answer = () => '';
    const power = nodeBoardPower(machine.commands, clock, undefined);
    await power.ask('shutdown');
    await power.ask('reboot');
    expect(machine.ran).toEqual([
      'systemctl --no-ask-password --no-block poweroff',
      'systemctl --no-ask-password --no-block reboot',
    ]);
  });

  it('is asked by a file where the service has no rights, and is under way when somebody has taken it', async () => {
    let waits = 0;
    onWait = () => {
      waits++;
      expect(readdirSync(folder)).toEqual(['reboot']);
      if (waits === 3) rmSync(join(folder, 'reboot'));
    };
    await nodeBoardPower(machine.commands, clock, folder).ask('reboot');
    expect([waits, machine.ran]).toEqual([3, []]);
  });

  it('is not when nobody takes the file: that is told, and nobody finds it later', async () => {
    const asked = nodeBoardPower(machine.commands, clock, folder).ask('shutdown');
    await expect(asked).rejects.toMatchObject({ code: 'timeout', message: expect.stringContaining('pipevine-power') });
    expect(existsSync(join(folder, 'poweroff'))).toBe(false);
  });

  it('says so where no file can be left', async () => {
    const power = nodeBoardPower(machine.commands, clock, join(folder, 'absent'));
    await expect(power.ask('reboot')).rejects.toMatchObject({ code: 'unreachable' });
  });
});
