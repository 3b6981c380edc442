import type { JsonValue, PropertyAffordance, WithoutForms } from '@pipevine/runtime';
import type { BoardPart, BoardProperty } from './board-part.ts';
import type { BoardPlatform } from './board-platform.ts';
import { deviceText } from './device-text.ts';
import { readNetwork } from './network-facts.ts';
import { SharedReading } from './shared-reading.ts';
import { readThrottling } from './throttling.ts';

/** One access to the kernel serves all who ask within this time. */
const KEPT_MS = 250;
/** Smaller steps of the temperature, degrees Celsius, are noise. */
const TEMPERATURE_STEP = 0.5;

interface Fact {
  readonly name: string;
  readonly affordance: WithoutForms<PropertyAffordance>;
  /** Undefined: this board does not say. */
  readonly read: (platform: BoardPlatform) => Promise<JsonValue | undefined>;
  readonly observable?: boolean;
  readonly differs?: (before: JsonValue, now: JsonValue) => boolean;
}

const bytes = { type: 'integer', unit: 'byte', minimum: 0 } as const;

const FACTS: readonly Fact[] = [
  { name: 'model', affordance: { title: 'Model', type: 'string' }, read: readModel },
  { name: 'serialNumber', affordance: { title: 'Serial number', type: 'string' }, read: readSerialNumber },
  {
    name: 'temperature',
    affordance: { title: 'Temperature of the processor', type: 'number', unit: '°C' },
    read: readTemperature,
    observable: true,
    differs: (before, now) => Math.abs(Number(before) - Number(now)) >= TEMPERATURE_STEP,
  },
  {
    name: 'throttling',
    affordance: {
      title: 'Throttling',
      description: 'What slows the board down now, and what has since it was started',
      type: 'object',
    },
    read: readThrottling,
    observable: true,
  },
  {
    name: 'load',
    affordance: {
      title: 'Load',
      description: 'Processes that ran or waited, on average over 1, 5 and 15 minutes',
      type: 'array',
      items: { type: 'number' },
      minItems: 3,
      maxItems: 3,
    },
    read: readLoad,
    observable: true,
  },
  {
    name: 'memory',
    affordance: { title: 'Memory', type: 'object', properties: { totalBytes: bytes, availableBytes: bytes } },
    read: readMemory,
    observable: true,
  },
  {
    name: 'disk',
    affordance: { title: 'Disk', type: 'object', properties: { totalBytes: bytes, freeBytes: bytes } },
    read: async ({ files }) => {
      const space = await files.space('/');
      return space && { ...space };
    },
    observable: true,
  },
  { name: 'uptime', affordance: { title: 'Uptime', type: 'integer', unit: 's', minimum: 0 }, read: readUptime },
  {
    name: 'network',
    affordance: { title: 'Network interfaces', type: 'array', items: { type: 'object' } },
    read: readNetwork,
    observable: true,
  },
];

/** What every board says of itself; what this one does not say, it has no property for. */
export async function systemFacts(platform: BoardPlatform, intervalMs: number): Promise<BoardPart> {
  const properties: BoardProperty[] = [];
  for (const { name, affordance, read, observable = false, differs } of FACTS) {
    // What cannot be read at the start is as good as absent: the serial number of a PC is its administrator's alone.
    const first = await read(platform).catch(() => undefined);
    if (first === undefined) continue;
    const shared = new SharedReading(platform.clock, KEPT_MS, async () => (await read(platform)) ?? null);
    properties.push({
      name,
      affordance: { ...affordance, readOnly: true, observable },
      read: () => shared.get(),
      ...(observable && { intervalMs }),
      ...(differs && { differs }),
    });
  }
  return { properties };
}

async function readModel({ files }: BoardPlatform): Promise<string | undefined> {
  return (
    deviceText(await files.read('/proc/device-tree/model')) ??
    deviceText(await files.read('/sys/class/dmi/id/product_name'))
  );
}

async function readSerialNumber({ files }: BoardPlatform): Promise<string | undefined> {
  return (
    deviceText(await files.read('/proc/device-tree/serial-number')) ??
    deviceText(await files.read('/sys/class/dmi/id/product_serial'))
  );
}

/** The thermal zone of the processor, else the first. */
async function readTemperature({ files }: BoardPlatform): Promise<number | undefined> {
  const zones = (await files.list('/sys/class/thermal')).filter((name) => name.startsWith('thermal_zone'));
  let first: number | undefined;
  for (const zone of zones) {
    const milli = (await files.read(`/sys/class/thermal/${zone}/temp`))?.trim();
    if (milli === undefined || !/^-?\d+$/.test(milli)) continue;
    const degrees = Math.round(Number(milli) / 100) / 10;
    if (/cpu|soc|x86_pkg/i.test((await files.read(`/sys/class/thermal/${zone}/type`)) ?? '')) return degrees;
    first ??= degrees;
  }
  return first;
}

async function readLoad({ files }: BoardPlatform): Promise<readonly number[] | undefined> {
  const averages = (await files.read('/proc/loadavg'))?.split(' ').slice(0, 3).map(Number);
  return averages?.length === 3 && averages.every(Number.isFinite) ? averages : undefined;
}

async function readMemory({ files }: BoardPlatform): Promise<JsonValue | undefined> {
  const text = await files.read('/proc/meminfo');
  const [total, available] = ['MemTotal', 'MemAvailable'].map((name) => {
    const [, kilobytes] = new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(text ?? '') ?? [];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  });
  return total === undefined || available === undefined ? undefined : { totalBytes: total, availableBytes: available };
}

async function readUptime({ files }: BoardPlatform): Promise<number | undefined> {
  const seconds = Number.parseFloat((await files.read('/proc/uptime')) ?? '');
  return Number.isFinite(seconds) ? Math.floor(seconds) : undefined;
}
