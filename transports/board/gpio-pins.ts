import { PipevineError } from '@pipevine/runtime';
import type { PinConfig } from './board-config.ts';
import type { BoardOutlets, BoardPart, BoardProperty } from './board-part.ts';
import type { BoardPlatform } from './board-platform.ts';
import { MonitoredInput, readLevel } from './gpio-input.ts';
import { HeldOutput } from './gpio-output.ts';
import { type GpioToolsVersion, gpioToolsVersion } from './gpio-tools.ts';
import { SharedReading } from './shared-reading.ts';

const VERSION_TIMEOUT_MS = 5_000;
const EDGE_DATA = { type: 'object', properties: { edge: { type: 'string', enum: ['rising', 'falling'] } } } as const;

/** The pins that the configuration names: each a property, and with `edges` an event `NAME-edge`. */
export async function gpioPins(
  platform: BoardPlatform,
  pins: readonly PinConfig[],
  outlets: BoardOutlets,
): Promise<BoardPart> {
  if (pins.length === 0) return {};
  const version = await toolsVersion(platform).catch((error) => {
    outlets.warn(error.message);
    return error as PipevineError; // all that `toolsVersion` throws
  });
  const properties: BoardProperty[] = [];
  const starts: Promise<void>[] = [];
  const closers: (() => Promise<void>)[] = [];
  for (const pin of pins) {
    const { name, direction, edges } = pin;
    const affordance = { type: 'boolean', title: direction === 'in' ? 'Input' : 'Output' } as const;
    const watched = direction === 'out' || edges !== undefined;
    const shown = { ...affordance, observable: watched, ...(direction === 'in' && { readOnly: true }) };
    if (typeof version !== 'number') {
      const refuse = () => Promise.reject(version);
      properties.push({ name, affordance: shown, read: refuse, ...(direction === 'out' && { write: refuse }) });
    } else if (direction === 'out') {
      const output = new HeldOutput(platform, version, pin, outlets);
      closers.push(() => output.close());
      starts.push(output.write(pin.initial).catch((error) => outlets.warn(error.message)));
      properties.push({
        name,
        affordance: shown,
        read: async () => output.read(),
        write: (value) => output.write(value === true),
      });
    } else if (edges !== undefined) {
      const input = new MonitoredInput(platform, version, pin, outlets);
      closers.push(() => input.close());
      starts.push(input.start());
      properties.push({ name, affordance: shown, read: async () => input.read() });
    } else {
      // Each look is a process: all who ask meanwhile share it.
      const shared = new SharedReading(platform.clock, 0, () => readLevel(platform, version, pin));
      properties.push({ name, affordance: shown, read: () => shared.get() });
    }
  }
  await Promise.all(starts);
  return {
    properties,
    events: pins
      .filter(({ edges }) => edges !== undefined)
      .map(({ name }) => ({ name: `${name}-edge`, affordance: { title: `Edge of ${name}`, data: EDGE_DATA } })),
    close: async () => {
      await Promise.all(closers.map((close) => close()));
    },
  };
}

async function toolsVersion({ commands }: BoardPlatform): Promise<GpioToolsVersion> {
  try {
    const output = await commands.run(['gpioget', '--version'], { timeoutMs: VERSION_TIMEOUT_MS, maxBytes: 4_096 });
    const version = gpioToolsVersion(new TextDecoder().decode(output));
    if (version !== undefined) return version;
    throw new PipevineError('unsupported', 'gpioget is of no known generation; libgpiod 1 and 2 are');
  } catch (error) {
    if (error instanceof PipevineError && error.code !== 'unsupported') throw error;
    const what = error instanceof Error ? error.message : String(error);
    throw new PipevineError('unsupported', `pins need libgpiod's tools: ${what}; try: apt install gpiod`, {
      cause: error,
    });
  }
}
