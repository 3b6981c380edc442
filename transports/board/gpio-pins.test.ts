import { type JsonValue, PipevineError } from '@pipevine/runtime';
import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../memory/virtual-clock.ts';
import type { PinConfig } from './board-config.ts';
import type { BoardPart } from './board-part.ts';
import { gpioPins } from './gpio-pins.ts';
import { MadeUpBoard } from './testing/made-up-board.ts';

let clock: VirtualClock;
let machine: MadeUpBoard;
let told: JsonValue[];
let level: string;

const VERSIONS = { 1: 'gpioget (libgpiod) v1.6.3\n', 2: 'gpioget (libgpiod) v2.2.1\n' };

function pin(more: Partial<PinConfig>): PinConfig {
  return {
    name: 'door',
    chip: 'gpiochip0',
    line: 17,
    direction: 'in',
    pull: undefined,
    edges: undefined,
    debounceMs: 5,
    activeLow: false,
    initial: false,
    ...more,
  };
}

beforeEach(() => {
  clock = new VirtualClock();
  machine = new MadeUpBoard(clock);
  told = [];
  level = '0';
});

async function open(version: 1 | 2, more: Partial<PinConfig>): Promise<BoardPart> {
  machine.answer = (command) => (command.includes('--version') ? VERSIONS[version] : `${level}\n`);
  machine.onStart = (process) => {
    if (version === 2 && process.running) process.says("Setting line '17'...");
  };
  return clock.run(
    gpioPins(machine, [pin(more)], {
      changed: (name, value) => told.push({ changed: name, value }),
      happened: (event, data) => told.push({ happened: event, data }),
      warn: (text) => told.push({ warn: text }),
    }),
  );
}

const read = (part: BoardPart) => part.properties?.[0]?.read();
const write = (part: BoardPart, value: boolean) => clock.run(part.properties?.[0]?.write?.(value) ?? Promise.reject());
const commands = () => machine.started.map(({ command }) => command.join(' '));

describe.each([1, 2] as const)('with libgpiod %i', (version) => {
  it('an input is looked at when it is read', async () => {
    const part = await open(version, { pull: 'up', activeLow: true });
    expect(machine.ran).toHaveLength(1);
    expect(await read(part)).toBe(false);
    level = '1';
    expect(await read(part)).toBe(true);
    expect(machine.ran.at(-1)).toBe(
      version === 1
        ? 'gpioget --active-low --bias=pull-up gpiochip0 17'
        : 'gpioget --numeric --chip=gpiochip0 --active-low --bias=pull-up 17',
    );
    expect(part.properties?.[0]?.affordance).toMatchObject({ type: 'boolean', readOnly: true, observable: false });
    expect(commands()).toEqual([]);
  });

  it('an input with edges tells them, once its level has lasted', async () => {
    const falling = version === 1 ? '0' : '2';
    const part = await open(version, { edges: 'both', pull: 'none' });
    expect(commands()).toEqual([
      version === 1
        ? 'gpiomon --line-buffered --format=%e --bias=disable gpiochip0 17'
        : 'gpiomon --banner --format=%e --debounce-period=5ms --chip=gpiochip0 --bias=disabled 17',
    ]);
    expect(told.splice(0)).toEqual([{ changed: 'door', value: false }]);
    const monitor = machine.process('gpiomon');
    monitor.says('1');
    await clock.runFor(4);
    monitor.says(falling);
    await clock.runFor(1);
    monitor.says('1');
    expect(told).toEqual([]);
    await clock.runFor(5);
    expect(told.splice(0)).toEqual([
      { changed: 'door', value: true },
      { happened: 'door-edge', data: { edge: 'rising' } },
    ]);
    expect(await read(part)).toBe(true);
    monitor.says(falling);
    monitor.says('1');
    await clock.runFor(100);
    expect(told).toEqual([]);
    await part.close?.();
    expect(monitor.running).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });

  it('of one kind of edge only that is told as an event, the level always', async () => {
    await open(version, { edges: 'falling' });
    told.splice(0);
    const monitor = machine.process('gpiomon');
    monitor.says('1');
    await clock.runFor(5);
    monitor.says(version === 1 ? '0' : '2');
    await clock.runFor(5);
    expect(told).toEqual([
      { changed: 'door', value: true },
      { changed: 'door', value: false },
      { happened: 'door-edge', data: { edge: 'falling' } },
    ]);
  });

  it('a line that is lost is tried again with longer pauses, and complained of once', async () => {
    const part = await open(version, { edges: 'both' });
    told.splice(0);
    machine.answer = () => new PipevineError('unreachable', 'gpioget failed (1): Device or resource busy');
    machine.process('gpiomon').ends('gpiomon: gone');
    await expect(read(part)).rejects.toThrow('gone; trying again');
    await clock.runFor(20_000);
    expect(told).toEqual([{ warn: 'pin "door": gpiomon: gone; trying again' }]);
    // After 1, 2, 4 and 8 s.
    expect(machine.ran.filter((command) => !command.includes('--version'))).toHaveLength(1 + 4);
    await expect(read(part)).rejects.toThrow('resource busy');
    level = '1';
    machine.answer = () => '1\n';
    await clock.runFor(60_000);
    expect(await read(part)).toBe(true);
    await part.close?.();
  });

  it('an output is held from the start, and set', async () => {
    const part = await open(version, { direction: 'out', activeLow: true, initial: true });
    expect(await read(part)).toBe(true);
    await write(part, false);
    expect(await read(part)).toBe(false);
    expect(told).toEqual([
      { changed: 'door', value: true },
      { changed: 'door', value: false },
    ]);
    if (version === 1) {
      expect(commands()).toEqual([
        'gpioset --mode=wait --active-low gpiochip0 17=1',
        'gpioset --mode=wait --active-low gpiochip0 17=0',
      ]);
      expect(machine.started.map(({ running }) => running)).toEqual([false, true]);
    } else {
      expect(commands()).toEqual(['gpioset --banner --interactive --chip=gpiochip0 --active-low 17=1']);
      expect(machine.started[0]?.written).toEqual(['set 17=0\n']);
    }
    await part.close?.();
    expect(machine.started.some(({ running }) => running)).toBe(false);
  });

  it('an output that cannot be had says so, until it can', async () => {
    machine.answer = (command) => (command.includes('--version') ? VERSIONS[version] : undefined);
    machine.onStart = (process) => process.ends('gpioset: Device or resource busy');
    const part = await clock.run(
      gpioPins(machine, [pin({ direction: 'out' })], {
        changed: () => undefined,
        happened: () => undefined,
        warn: (text) => told.push(text),
      }),
    );
    expect(told).toEqual(['pin "door": gpioset: Device or resource busy']);
    await expect(read(part)).rejects.toThrow('Device or resource busy; write it to try again');
    await expect(write(part, true)).rejects.toMatchObject({ code: 'unreachable' });
    machine.onStart = (process) => process.says('ready');
    await write(part, true);
    expect(await read(part)).toBe(true);
    machine.process('gpioset').ends('gpioset: killed');
    await expect(read(part)).rejects.toThrow('killed');
    expect(told.at(-1)).toBe('pin "door" was let go: gpioset: killed');
    await write(part, false);
    expect(await read(part)).toBe(false);
  });

  it('an input that many ask for at once is looked at once', async () => {
    const part = await open(version, {});
    const looks = machine.ran.length;
    await Promise.all(Array.from({ length: 100 }, () => read(part)));
    expect(machine.ran.length - looks).toBe(1);
  });

  it('writes of an output wait for each other, and not without end', async () => {
    const part = await open(version, { direction: 'out' });
    const writes = Array.from({ length: 20 }, (_, n) => Promise.resolve(part.properties?.[0]?.write?.(n % 2 === 0)));
    const results = await clock.run(Promise.allSettled(writes));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(16);
    expect(await read(part)).toBe(false);
  });
});

it('an output works with tools of generation 2 that cannot be spoken to', async () => {
  machine.answer = () => VERSIONS[2];
  machine.onStart = (process) => {
    if (process.command.includes('--interactive')) process.ends("gpioset: unrecognized option '--interactive'");
    else process.says("Setting line '17'...");
  };
  const part = await clock.run(
    gpioPins(machine, [pin({ direction: 'out' })], {
      changed: () => undefined,
      happened: () => undefined,
      warn: (text) => told.push(text),
    }),
  );
  await write(part, true);
  expect(await read(part)).toBe(true);
  expect(commands().slice(1)).toEqual([
    'gpioset --banner --chip=gpiochip0 17=0',
    'gpioset --banner --chip=gpiochip0 17=1',
  ]);
  expect(machine.started.map(({ running }) => running)).toEqual([false, false, true]);
  expect(told).toEqual([]);
});

it('pins without the tools refuse, with what to install', async () => {
  machine.answer = () => undefined;
  const part = await clock.run(
    gpioPins(machine, [pin({}), pin({ name: 'lamp', line: 18, direction: 'out' })], {
      changed: () => undefined,
      happened: () => undefined,
      warn: (text) => told.push(text),
    }),
  );
  expect(told).toEqual([expect.stringContaining('apt install gpiod')]);
  await expect(read(part)).rejects.toMatchObject({ code: 'unsupported' });
  await expect(part.properties?.[1]?.write?.(true)).rejects.toMatchObject({ code: 'unsupported' });
});
