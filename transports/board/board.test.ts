import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type JsonValue, PipevineError } from '@pipevine/runtime';
import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../memory/virtual-clock.ts';
import { type Board, openBoard } from './board.ts';
import type { BoardConfig, SensorConfig } from './board-config.ts';
import type { BoardPlatform } from './board-platform.ts';
import { MAX_SNAPSHOT_BYTES } from './camera.ts';
import { nodeBoardFiles } from './node-board-files.ts';
import { RESERVED_BOARD_NAMES } from './reserved-board-names.ts';
import { boardConfigWith } from './testing/board-config.ts';
import { MadeUpBoard } from './testing/made-up-board.ts';
import { RASPBERRY_PI } from './testing/raspberry-pi.ts';

let clock: VirtualClock;
let machine: MadeUpBoard;
let told: JsonValue[];

beforeEach(() => {
  clock = new VirtualClock();
  machine = new MadeUpBoard(clock, RASPBERRY_PI);
  told = [];
});

function open(more: Partial<BoardConfig> = {}, platform: BoardPlatform = machine): Promise<Board> {
  const outlets = {
    changed: (name: string, value: JsonValue) => told.push({ changed: name, value }),
    happened: (event: string, data: JsonValue) => told.push({ happened: event, data }),
    warn: (text: string) => told.push({ warn: text }),
  };
  return openBoard({ platform, config: boardConfigWith(more), outlets });
}

const property = (board: Board, name: string) => {
  const found = board.properties.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no property ${name}`);
  return found;
};
const read = (board: Board, name: string) => property(board, name).read();
const sensor = (more: Partial<SensorConfig>): SensorConfig => ({
  name: 'sensor',
  source: 'iio',
  device: 'bme280',
  channel: 'temp',
  intervalMs: 60_000,
  ...more,
});

const FACTS = {
  model: 'Raspberry Pi 4 Model B Rev 1.4',
  serialNumber: '10000000abcdef01',
  temperature: 48.7,
  load: [0.52, 0.58, 0.59],
  memory: { totalBytes: 3_977_621_504, availableBytes: 3_174_400_000 },
  uptime: 93_784,
  throttling: {
    underVoltage: true,
    frequencyCapped: false,
    throttled: true,
    softTemperatureLimit: false,
    sinceStart: { underVoltage: true, frequencyCapped: false, throttled: true, softTemperatureLimit: false },
  },
  network: [
    { name: 'eth0', up: false, address: 'dc:a6:32:01:02:03', receivedBytes: 0, sentBytes: 0 },
    { name: 'wlan0', up: true, address: 'dc:a6:32:01:02:04', receivedBytes: 123_456, sentBytes: 6_543, signalDbm: -53 },
  ],
  usb: [{ port: '1-1', vendor: '0781', product: '5567', name: 'SanDisk Cruzer Blade' }],
};

describe('a board', () => {
  it('says what it is and how it is', async () => {
    const board = await open();
    for (const [name, value] of Object.entries(FACTS)) expect([name, await read(board, name)]).toEqual([name, value]);
    expect(await read(board, 'disk')).toEqual({ totalBytes: 32_000_000_000, freeBytes: 20_000_000_000 });
    expect(board.properties.map(({ name }) => name)).toEqual(RESERVED_BOARD_NAMES);
  });

  it('is read from real files in the same way', async () => {
    const root = mkdtempSync(join(tmpdir(), 'pipevine-board-'));
    try {
      for (const [path, text] of Object.entries(RASPBERRY_PI)) {
        mkdirSync(dirname(join(root, path)), { recursive: true });
        writeFileSync(join(root, path), text);
      }
      const board = await open({}, { ...machine, files: nodeBoardFiles(root) });
      for (const [name, value] of Object.entries(FACTS)) expect([name, await read(board, name)]).toEqual([name, value]);
      await board.close();
    } finally {
      rmSync(root, { recursive: true });
    }
  });

  it('has no property for what is absent, and fails at nothing', async () => {
    const board = await open({ sensors: [sensor({ name: 'cellar' })] }, new MadeUpBoard(clock));
    expect(board.properties.map(({ name }) => name)).toEqual(['disk', 'hardware', 'cellar']);
    expect(board.events).toEqual([]);
    await expect(read(board, 'cellar')).rejects.toThrow('sensor "cellar": "bme280" is not there now');
    expect(told).toEqual([]);
  });

  it('tells under-voltage by the hwmon driver where the firmware says nothing', async () => {
    machine.remove('/sys/devices/platform');
    expect(await read(await open(), 'throttling')).toEqual({ underVoltage: true });
  });

  it('lists what can be named', async () => {
    expect(await read(await open(), 'hardware')).toEqual({
      gpioChips: ['gpiochip0'],
      pwm: [{ chip: 0, channels: 2 }],
      iio: [
        { folder: 'iio:device0', device: 'bme280', channels: ['humidityrelative', 'pressure', 'temp'] },
        { folder: 'iio:device1', device: 'ads1015', channels: ['voltage0', 'voltage1'] },
      ],
      hwmon: [
        { folder: 'hwmon0', device: 'cpu_thermal', channels: ['temp1'] },
        { folder: 'hwmon1', device: 'rpi_volt', channels: [] },
      ],
      w1: ['28-0316a2794a5f'],
      leds: ['ACT'],
      serialPorts: ['/dev/ttyUSB0'],
    });
  });
});

describe('a sensor', () => {
  it.each([
    [{ channel: 'temp' }, 21.5, '°C'],
    [{ channel: 'humidityrelative' }, 45.128, '%'],
    [{ channel: 'pressure' }, 1013.25625, 'hPa'],
    [{ device: 'ads1015', channel: 'voltage0' }, 3.72, 'V'],
    [{ device: 'iio:device1', channel: 'voltage1' }, 0.05, 'V'],
    [{ source: 'hwmon', device: 'cpu_thermal', channel: 'temp1' }, 48.2, '°C'],
    [{ source: 'w1', device: '28-0316a2794a5f', channel: '' }, 21.5, '°C'],
  ] as const)('is read in its unit: %j', async (config, value, unit) => {
    const board = await open({ sensors: [sensor(config)] });
    expect(await read(board, 'sensor')).toBe(value);
    expect(property(board, 'sensor').affordance).toMatchObject({ type: 'number', unit, observable: true });
  });

  it.each([
    [{ device: 'bmp180' }, 'not-found', 'has bme280, ads1015'],
    [{ channel: 'magn_x' }, 'not-found', 'no channel "magn_x"'],
    [{ source: 'hwmon', device: 'cpu_thermal', channel: 'temp9' }, 'not-found', 'no channel "temp9"'],
    [{ source: 'w1', device: '28-00' }, 'not-found', 'is it wired'],
  ] as const)('that is absent says what there is: %j', async (config, code, message) => {
    const error = await read(await open({ sensors: [sensor(config)] }), 'sensor').catch((caught) => caught);
    expect(error).toBeInstanceOf(PipevineError);
    expect([error.code, error.message]).toEqual([code, expect.stringContaining(message)]);
  });

  it('refuses a 1-wire reading whose checksum is wrong', async () => {
    const path = '/sys/bus/w1/devices/28-0316a2794a5f/w1_slave';
    machine.set({ [path]: '58 01 : crc=64 NO\n58 01 t=85000\n' });
    const board = await open({ sensors: [sensor({ source: 'w1', device: '28-0316a2794a5f' })] });
    await expect(read(board, 'sensor')).rejects.toMatchObject({ code: 'unreachable' });
  });

  it('is accessed once for all who ask at once, and shortly after', async () => {
    let accesses = 0;
    const { read: readFile } = machine.files;
    const files = {
      ...machine.files,
      read: async (path: string) => {
        if (path.endsWith('in_temp_input')) accesses++;
        return readFile(path);
      },
    };
    const platform = { ...machine, clock, files };
    const board = await open({ sensors: [sensor({})] }, platform);
    await Promise.all(Array.from({ length: 100 }, () => read(board, 'sensor')));
    await read(board, 'sensor');
    expect(accesses).toBe(1);
    await clock.runFor(1_000);
    await read(board, 'sensor');
    expect(accesses).toBe(2);
  });
});

describe('an LED', () => {
  it('is taken from its trigger and set in percent', async () => {
    const led = property(await open({ leds: [{ name: 'status', led: 'ACT' }] }), 'status');
    await led.write?.(50);
    expect(machine.writes).toEqual(['/sys/class/leds/ACT/trigger=none', '/sys/class/leds/ACT/brightness=128']);
    expect(await led.read()).toBe(50);
  });

  it('that is absent says which there are', async () => {
    const led = property(await open({ leds: [{ name: 'status', led: 'PWR' }] }), 'status');
    await expect(led.write?.(1)).rejects.toThrow('has no "PWR"; there are ACT');
  });
});

describe('a PWM channel', () => {
  const config = { pwm: [{ name: 'fan', chip: 0, channel: 1, frequencyHz: 25_000 }] };
  const folder = '/sys/class/pwm/pwmchip0/pwm1';

  beforeEach(() => {
    machine.onWrite = (path, text) => {
      if (!path.endsWith('/export')) return;
      clock.setTimer(120, () => {
        const made = `/sys/class/pwm/pwmchip0/pwm${text}`;
        machine.set({ [`${made}/period`]: '0', [`${made}/duty_cycle`]: '0', [`${made}/enable`]: '0' });
      });
    };
  });

  it('is exported at the first write, and set in an order that the kernel takes', async () => {
    const fan = property(await open(config), 'fan');
    expect(await fan.read()).toBe(0);
    const writing = fan.write?.(30);
    await clock.runFor(1_000);
    await writing;
    await fan.write?.(75);
    expect(machine.writes).toEqual([
      '/sys/class/pwm/pwmchip0/export=1',
      `${folder}/duty_cycle=0`,
      `${folder}/period=40000`,
      `${folder}/duty_cycle=12000`,
      `${folder}/enable=1`,
      `${folder}/duty_cycle=30000`,
      `${folder}/enable=1`,
    ]);
    expect(await fan.read()).toBe(75);
  });

  it('that does not exist says how many there are', async () => {
    const fan = property(await open({ pwm: [{ name: 'fan', chip: 0, channel: 2, frequencyHz: 1 }] }), 'fan');
    await expect(fan.write?.(1)).rejects.toThrow('pwmchip0 has 2 channels');
  });
});

describe('USB', () => {
  it('tells what comes and goes, and looks only then', async () => {
    const board = await open();
    machine.set({
      '/sys/bus/usb/devices/1-1.4/idVendor': '0bda\n',
      '/sys/bus/usb/devices/1-1.4/idProduct': '8153\n',
      '/sys/bus/usb/devices/1-1.4/serial': '42\n',
    });
    machine.remove('/sys/bus/usb/devices/1-1');
    await clock.runFor(60_000);
    expect(told).toEqual([]);
    machine.touch('/dev/bus/usb/001');
    machine.touch('/dev/bus/usb/001');
    await clock.runFor(1_000);
    const adapter = { port: '1-1.4', vendor: '0bda', product: '8153', serialNumber: '42' };
    expect(told).toEqual([
      { happened: 'usb-removed', data: FACTS.usb[0] },
      { happened: 'usb-added', data: adapter },
      { changed: 'usb', value: [adapter] },
    ]);
    await board.close();
    expect([...machine.watched.values()].map((watchers) => watchers.size)).toEqual([0, 0]);
  });
});

describe('the camera', () => {
  const snapshot = async (command?: readonly string[]) =>
    (await open({ camera: { command, widthPixels: 640, heightPixels: 480, quality: 75 } })).actions
      .find(({ name }) => name === 'snapshot')
      ?.invoke();

  it('gives a JPEG of the first tool that is installed', async () => {
    machine.answer = (command) => (command.startsWith('libcamera-still') ? Uint8Array.of(0xff, 0xd8, 1, 2) : undefined);
    expect(await snapshot()).toBe('/9gBAg==');
    expect(machine.ran.map((command) => command.split(' ')[0])).toEqual(['rpicam-still', 'libcamera-still']);
    expect(machine.ran[1]).toContain('--width 640 --height 480 -q 75 -o -');
  });

  it.each([
    ['no JPEG', () => 'GIF89a', ['shot'], 'shot gave no JPEG'],
    ['a command that is not there', () => undefined, ['shot'], 'shot is not installed'],
    ['no tool at all', () => undefined, undefined, 'none of rpicam-still, libcamera-still, fswebcam is installed'],
    [
      'too large a picture',
      () => new PipevineError('too-large', 'x'),
      undefined,
      `more than ${MAX_SNAPSHOT_BYTES} bytes; lower`,
    ],
  ])('says what is wrong: %s', async (_, answer, command, message) => {
    machine.answer = answer;
    await expect(snapshot(command)).rejects.toThrow(message);
  });
});

describe('shutdown and reboot', () => {
  it('are there only when they are allowed, and guarded', async () => {
    expect((await open()).actions).toEqual([]);
    const board = await open({ allow: ['reboot'] });
    expect(board.actions.map(({ name, guarded }) => [name, guarded])).toEqual([['reboot', true]]);
    expect(machine.powerAsked).toEqual([]);
    await board.actions[0]?.invoke();
    expect(machine.powerAsked).toEqual(['reboot']);
  });
});
