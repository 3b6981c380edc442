import type { JsonValue } from '@pipevine/runtime';
import type { BoardPart } from './board-part.ts';
import type { BoardFiles, BoardPlatform } from './board-platform.ts';
import { SharedReading } from './shared-reading.ts';

/** It takes hundreds of files. */
const KEPT_MS = 1_000;
/** Of each kind. */
const MAX_LISTED = 64;

/** The property `hardware`: what is on the board and can be named in its configuration. */
export function foundHardware({ files, clock }: BoardPlatform): BoardPart {
  const shared = new SharedReading(clock, KEPT_MS, () => readHardware(files));
  return {
    properties: [
      {
        name: 'hardware',
        affordance: {
          title: 'Hardware found',
          description: 'What can be named in the configuration of this board',
          type: 'object',
          readOnly: true,
        },
        read: () => shared.get(),
      },
    ],
  };
}

async function readHardware(files: BoardFiles): Promise<JsonValue> {
  const names = async (folder: string, pattern: RegExp) =>
    (await files.list(folder)).filter((name) => pattern.test(name)).slice(0, MAX_LISTED);
  const [chips, pwmChips, wire, leds, ports] = await Promise.all([
    names('/dev', /^gpiochip\d+$/),
    names('/sys/class/pwm', /^pwmchip\d+$/),
    names('/sys/bus/w1/devices', /^[0-9a-f]{2}-/),
    names('/sys/class/leds', /./),
    names('/dev', /^tty(USB|ACM|AMA|S)\d+$/),
  ]);
  const pwm = await Promise.all(
    pwmChips.map(async (chip) => ({
      chip: Number(chip.slice(7)),
      channels: Number(await files.read(`/sys/class/pwm/${chip}/npwm`)) || 0,
    })),
  );
  return {
    gpioChips: chips,
    pwm,
    iio: await channels(files, '/sys/bus/iio/devices', /^in_(.+)_(?:input|raw)$/),
    hwmon: await channels(files, '/sys/class/hwmon', /^([a-z]+\d+)_input$/),
    w1: wire,
    leds,
    serialPorts: ports.map((name) => `/dev/${name}`),
  };
}

async function channels(files: BoardFiles, root: string, pattern: RegExp): Promise<JsonValue> {
  const folders = (await files.list(root)).slice(0, MAX_LISTED);
  return Promise.all(
    folders.map(async (folder) => {
      const found = (await files.list(`${root}/${folder}`)).flatMap((file) => pattern.exec(file)?.[1] ?? []);
      const name = (await files.read(`${root}/${folder}/name`).catch(() => undefined))?.trim() ?? '';
      return { folder, device: name.slice(0, 64), channels: [...new Set(found)].slice(0, MAX_LISTED) };
    }),
  );
}
