import type { JsonValue } from '@pipevine/runtime';
import type { BoardFiles, BoardPlatform } from './board-platform.ts';

/** Bits of what a Raspberry Pi's firmware says; the same, 16 further up, for "since the start". */
const BITS = ['underVoltage', 'frequencyCapped', 'throttled', 'softTemperatureLimit'] as const;
const SINCE_START = 16;

/** What slows the board down: by the firmware's word, else by the voltage alarm of its hwmon driver. */
export async function readThrottling({ files }: BoardPlatform): Promise<JsonValue | undefined> {
  const path = await firmwareFile(files);
  const written = path === undefined ? undefined : (await files.read(path))?.trim();
  if (written !== undefined && /^(0x)?[0-9a-f]+$/i.test(written)) {
    const word = Number.parseInt(written, 16);
    const flags = (shift: number) =>
      Object.fromEntries(BITS.map((name, bit) => [name, ((word >>> (bit + shift)) & 1) === 1]));
    return { ...flags(0), sinceStart: flags(SINCE_START) };
  }
  for (const device of await files.list('/sys/class/hwmon')) {
    const folder = `/sys/class/hwmon/${device}`;
    if ((await files.read(`${folder}/name`))?.trim() !== 'rpi_volt') continue;
    const alarm = (await files.read(`${folder}/in0_lcrit_alarm`))?.trim();
    if (alarm !== undefined) return { underVoltage: alarm === '1' };
  }
  return undefined;
}

/** `soc/soc:firmware`; on later boards `soc@` with an address. */
async function firmwareFile(files: BoardFiles): Promise<string | undefined> {
  const devices = '/sys/devices/platform';
  for (const soc of await files.list(devices)) {
    if (!soc.startsWith('soc')) continue;
    for (const name of await files.list(`${devices}/${soc}`)) {
      if (!name.endsWith(':firmware')) continue;
      if ((await files.list(`${devices}/${soc}/${name}`)).includes('get_throttled')) {
        return `${devices}/${soc}/${name}/get_throttled`;
      }
    }
  }
  return undefined;
}
