import { PipevineError } from '@pipevine/runtime';
import type { LedConfig } from './board-config.ts';
import type { BoardPart } from './board-part.ts';
import type { BoardPlatform } from './board-platform.ts';

/** LEDs of the kernel's class, each a property in percent. Who writes takes the LED from its trigger (heartbeat, card activity). */
export function leds({ files }: BoardPlatform, configs: readonly LedConfig[]): BoardPart {
  return {
    properties: configs.map(({ name, led }) => {
      const folder = `/sys/class/leds/${led}`;
      const brightest = async () => {
        const most = Number((await files.read(`${folder}/max_brightness`))?.trim());
        if (most > 0) return most;
        const there = await files.list('/sys/class/leds');
        const known = there.length === 0 ? 'there are none' : `there are ${there.slice(0, 16).join(', ')}`;
        throw new PipevineError('not-found', `LED "${name}": /sys/class/leds has no "${led}"; ${known}`);
      };
      return {
        name,
        affordance: { title: 'LED', type: 'number', unit: '%', minimum: 0, maximum: 100 },
        read: async () => {
          const most = await brightest();
          return Math.round((Number((await files.read(`${folder}/brightness`))?.trim()) / most) * 100) || 0;
        },
        write: async (value) => {
          const most = await brightest();
          if ((await files.list(folder)).includes('trigger')) await files.write(`${folder}/trigger`, 'none');
          await files.write(`${folder}/brightness`, String(Math.round((Number(value) / 100) * most)));
        },
      };
    }),
  };
}
