import { PipevineError } from '@pipevine/runtime';
import { type BoardConfig, type PowerAction, RESERVED_BOARD_NAMES, SENSOR_SOURCES } from '@pipevine/transports';
import { BOARD_SCHEMA } from './board-schema.ts';
import { checkSection, entryOf, itemsOf, type SectionValue } from './section-check.ts';
import { parseYamlBlock, YamlFault, type YamlNode } from './yaml-block.ts';
import type { YamlSection } from './yaml-mapping.ts';

const DEFAULT_INTERVAL_S = 60;
const DEFAULT_DEBOUNCE_MS = 5;
const DEFAULT_FREQUENCY_HZ = 1_000;
const DEFAULT_BAUD = 9_600;
/** Small enough for one value of a thing. */
const DEFAULT_PICTURE = { width: 640, height: 480, quality: 75 };

/** Reads the section `board`; undefined: all of its defaults. Throws `invalid-argument` with `file:line:column`. */
export function readBoardSection(section: YamlSection | undefined, file: string): BoardConfig {
  if (section === undefined) return boardConfig({});
  try {
    const node = parseYamlBlock(section);
    const value = checkSection(node, BOARD_SCHEMA, 'board');
    checkTogether(node);
    return boardConfig(value);
  } catch (error) {
    if (!(error instanceof YamlFault)) throw error;
    throw new PipevineError('invalid-argument', `${file}:${error.place.line}:${error.place.column}: ${error.message}`);
  }
}

/** What no schema says: names are one's own, lines too, and options stand where they mean something. */
function checkTogether(board: YamlNode): void {
  const names = new Map<string, string>(RESERVED_BOARD_NAMES.map((name) => [name, 'the board itself']));
  const pipes = new Map<string, string>();
  const lines = new Map<string, string>();
  for (const kind of ['pins', 'pwm', 'sensors', 'leds', 'serial'] as const) {
    for (const item of itemsOf(entryOf(board, kind)?.value)) {
      claim(kind === 'serial' ? pipes : names, item, 'name', kind);
      if (kind === 'pins') checkPin(item, lines);
      if (kind === 'sensors') checkSensor(item);
    }
  }
}

function checkPin(pin: YamlNode, lines: Map<string, string>): void {
  const direction = textOf(pin, 'direction');
  const name = textOf(pin, 'name');
  const line = entryOf(pin, 'line');
  const where = `${textOf(pin, 'chip') || 'gpiochip0'} ${line?.value.kind === 'scalar' ? line.value.value : ''}`;
  const holder = lines.get(where);
  if (holder !== undefined && line !== undefined)
    throw new YamlFault(line.value, `line ${where} is that of pin "${holder}" already`);
  lines.set(where, name);
  const misplaced = direction === 'in' ? ['initial'] : ['edges', 'debounce-ms'];
  for (const key of misplaced) {
    const entry = entryOf(pin, key);
    const other = direction === 'in' ? 'out' : 'in';
    if (entry !== undefined)
      throw new YamlFault(entry.key, `"${key}" makes sense only with direction ${other}; remove it`);
  }
}

function checkSensor(sensor: YamlNode): void {
  const sources = SENSOR_SOURCES.filter((source) => entryOf(sensor, source) !== undefined);
  if (sources.length !== 1) {
    const came = sources.length === 0 ? 'none' : sources.join(' and ');
    throw new YamlFault(sensor, `a sensor: expected one of ${SENSOR_SOURCES.join(', ')}, not ${came}`);
  }
  const channel = entryOf(sensor, 'channel');
  if (sources[0] === 'w1' && channel !== undefined)
    throw new YamlFault(channel.key, '"channel" makes no sense for a 1-wire thermometer; remove it');
  if (sources[0] !== 'w1' && channel === undefined)
    throw new YamlFault(
      sensor,
      `a sensor: expected "channel" besides "${sources[0]}"; \`pipevine read BOARD hardware\` lists them`,
    );
}

function claim(taken: Map<string, string>, item: YamlNode, key: string, kind: string): void {
  const entry = entryOf(item, key);
  const name = textOf(item, key);
  const holder = taken.get(name);
  if (holder !== undefined && entry !== undefined)
    throw new YamlFault(entry.value, `the name "${name}" is taken by ${holder}; choose another`);
  taken.set(name, `one of ${kind}`);
}

function textOf(node: YamlNode, key: string): string {
  const value = entryOf(node, key)?.value;
  return value?.kind === 'scalar' && typeof value.value === 'string' ? value.value : '';
}

/** What the schema has let through, with defaults. */
function boardConfig(value: SectionValue): BoardConfig {
  const board = new Fields(value);
  const intervalS = board.number('interval', DEFAULT_INTERVAL_S);
  const camera = board.has('camera') ? new Fields(board.value('camera')) : undefined;
  return {
    name: board.optional('name'),
    intervalMs: intervalS * 1_000,
    pins: board.list('pins').map((pin) => ({
      name: pin.text('name'),
      chip: pin.text('chip', 'gpiochip0'),
      line: pin.number('line', 0),
      direction: pin.text('direction') as 'in' | 'out', // one of its choices: checked, as below
      pull: pin.optional('pull') as 'up' | 'down' | 'none' | undefined,
      edges: pin.optional('edges') as 'rising' | 'falling' | 'both' | undefined,
      debounceMs: pin.number('debounce-ms', DEFAULT_DEBOUNCE_MS),
      activeLow: pin.flag('active-low'),
      initial: pin.flag('initial'),
    })),
    pwm: board.list('pwm').map((one) => ({
      name: one.text('name'),
      chip: one.number('chip', 0),
      channel: one.number('channel', 0),
      frequencyHz: one.number('frequency-hz', DEFAULT_FREQUENCY_HZ),
    })),
    sensors: board.list('sensors').map((sensor) => {
      const source = SENSOR_SOURCES.find((each) => sensor.has(each)) ?? 'iio'; // one of them is there: checked
      return {
        name: sensor.text('name'),
        source,
        device: sensor.text(source),
        channel: sensor.text('channel'),
        intervalMs: sensor.number('interval', intervalS) * 1_000,
      };
    }),
    leds: board.list('leds').map((led) => ({ name: led.text('name'), led: led.text('led') })),
    serial: board.list('serial').map((port) => ({
      name: port.text('name'),
      device: port.text('device'),
      baud: port.number('baud', DEFAULT_BAUD),
      dataBits: port.number('data-bits', 8) === 7 ? 7 : 8,
      parity: port.text('parity', 'none') as 'none' | 'even' | 'odd', // one of its choices: checked
      stopBits: port.number('stop-bits', 1) === 2 ? 2 : 1,
    })),
    camera: camera && {
      command: camera.has('command') ? camera.texts('command') : undefined,
      widthPixels: camera.number('width', DEFAULT_PICTURE.width),
      heightPixels: camera.number('height', DEFAULT_PICTURE.height),
      quality: camera.number('quality', DEFAULT_PICTURE.quality),
    },
    allow: board.texts('allow') as readonly PowerAction[], // of its choices: checked
  };
}

/** A checked mapping's members by type. */
class Fields {
  readonly #value: SectionValue | undefined;

  constructor(value: SectionValue | undefined) {
    this.#value = value;
  }

  value(key: string): SectionValue | undefined {
    const mapping = this.#value;
    if (typeof mapping !== 'object' || mapping === null || Array.isArray(mapping)) return undefined;
    // Neither null nor a list: a mapping.
    return Object.hasOwn(mapping, key) ? (mapping as { readonly [key: string]: SectionValue })[key] : undefined;
  }

  has(key: string): boolean {
    return this.value(key) !== undefined;
  }

  optional(key: string): string | undefined {
    const found = this.value(key);
    return typeof found === 'string' ? found : undefined;
  }

  text(key: string, otherwise = ''): string {
    return this.optional(key) ?? otherwise;
  }

  number(key: string, otherwise: number): number {
    const found = this.value(key);
    return typeof found === 'number' ? found : otherwise;
  }

  flag(key: string): boolean {
    return this.value(key) === true;
  }

  texts(key: string): readonly string[] {
    return this.#items(key).filter((item) => typeof item === 'string');
  }

  list(key: string): readonly Fields[] {
    return this.#items(key).map((item) => new Fields(item));
  }

  #items(key: string): readonly SectionValue[] {
    const found = this.value(key);
    return Array.isArray(found) ? found : [];
  }
}
