import { readFileSync } from 'node:fs';
import { RESERVED_BOARD_NAMES } from '@pipevine/transports';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readBoardSection } from './board-section.ts';
import { parseConfig } from './config-file.ts';
import { isSection } from './option-value.ts';

function read(text: string) {
  const value = parseConfig(text, 'pipevine.yaml').get('board');
  return readBoardSection(isSection(value) ? value : undefined, 'pipevine.yaml');
}

function faultOf(text: string): string | undefined {
  try {
    read(text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const FULL = `name: cellar
board:
  name: Cellar board
  interval: 30
  pins:
    - name: door
      line: 17
      direction: in
      pull: up
      edges: both
      debounce-ms: 20
`;

const BAD: readonly (readonly [text: string, message: string])[] = [
  ['board:\n  pin: []\n', '2:3: "board" has no "pin"; did you mean "pins"?'],
  ['board:\n  pins:\n    - name: door\n      direction: in\n', '3:7: "pins": expected "line" besides name, direction'],
  ['board:\n  pins: yes\n', '2:9: "pins": expected a list, each line of it with "- "'],
  ['board:\n  pins:\n    - door\n', '3:7: "pins": expected a mapping with name, chip, line'],
  ['board:\n  pins: [17]\n', '2:9: "pins": expected a mapping'],
  [pin('direction: sideways'), '5:18: "direction": expected in or out, not "sideways"'],
  [pin('direction: in', 'line: 1.5'), '"line": expected a whole number from 0 to 1023, not 1.5'],
  [pin('direction: in', 'active-low: 1'), '"active-low": expected true or false, not 1'],
  [pin('direction: in', 'chip: ../../etc/passwd'), 'that matches ^gpiochip[0-9]{1,3}$, not "../../etc/passwd"'],
  ['board:\n  interval: 0.1\n', '2:13: "interval": expected a number from 1 to 86400, not 0.1'],
  ['board:\n  allow: [format]\n', '2:10: "allow": expected shutdown or reboot, not "format"'],
  ['board:\n  leds:\n    - name: x\n      led: ../../../etc\n', '4:12: "led": expected text'],
  ['board:\n  serial:\n    - name: x\n      device: /dev/../etc/shadow\n', '4:15: "device": expected text'],
  ['board:\n  camera:\n    command: []\n', '3:14: "command": expected 1 to 32 entries, not 0'],
  ['board:\n  camera:\n    command: rm -rf /\n', '3:14: "command": expected a list'],
  ['board:\n  pwm:\n    - name: __proto__\n      channel: 0\n', '3:13: "name": expected text'],
  ['board:\n  __proto__: 1\n', '2:3: "board" has no "__proto__"'],
  ['board:\n  - a\n', '2:3: "board": expected a mapping'],
  ['board: [a]\n', '1:8: "board": expected true, false, or a mapping of its own'],
  ['board: 5\n', '1:8: "board": expected true, false, or a mapping of its own'],
];
/** Rules that the published schema does not know. */
const BAD_TOGETHER: readonly (readonly [text: string, message: string])[] = [
  [
    'board:\n  leds:\n    - name: temperature\n      led: ACT\n',
    '3:13: the name "temperature" is taken by the board itself',
  ],
  [
    `${pin('direction: in')}  leds:\n    - name: door\n      led: ACT\n`,
    '7:13: the name "door" is taken by one of pins; choose another',
  ],
  [
    `${pin('direction: in')}    - name: window\n      line: 17\n      direction: in\n`,
    '7:13: line gpiochip0 17 is that of pin "door" already',
  ],
  [pin('direction: out', 'edges: both'), '6:7: "edges" makes sense only with direction in; remove it'],
  [pin('direction: in', 'initial: true'), '6:7: "initial" makes sense only with direction out; remove it'],
  ['board:\n  sensors:\n    - name: x\n', '3:7: a sensor: expected one of iio, hwmon, w1, not none'],
  [
    'board:\n  sensors:\n    - name: x\n      iio: a\n      w1: 28-00\n',
    '3:7: a sensor: expected one of iio, hwmon, w1, not iio and w1',
  ],
  ['board:\n  sensors:\n    - name: x\n      iio: bme280\n', '3:7: a sensor: expected "channel" besides "iio"'],
  ['board:\n  sensors:\n    - name: x\n      w1: 28-00\n      channel: temp\n', '5:7: "channel" makes no sense'],
];

function pin(...lines: readonly string[]): string {
  const line = lines.some((each) => each.startsWith('line:')) ? '' : '      line: 17\n';
  return `board:\n  pins:\n    - name: door\n${line}${lines.map((each) => `      ${each}\n`).join('')}`;
}

describe('the section of a board', () => {
  it('gives what it names, and defaults', () => {
    const config = read(FULL);
    expect(config).toMatchObject({ name: 'Cellar board', intervalMs: 30_000, leds: [], camera: undefined, allow: [] });
    expect(config.pins).toEqual([
      {
        name: 'door',
        chip: 'gpiochip0',
        line: 17,
        direction: 'in',
        pull: 'up',
        edges: 'both',
        debounceMs: 20,
        activeLow: false,
        initial: false,
      },
    ]);
  });

  it('may be absent, or a mere true', () => {
    for (const text of ['board: true\n', 'board:\n  camera:\n    width: 320\n', 'name: x\n']) {
      expect([text, faultOf(text)]).toEqual([text, undefined]);
    }
    expect(read('board: true\n')).toMatchObject({ name: undefined, intervalMs: 60_000, pins: [] });
    expect(read('board:\n  camera:\n    width: 320\n').camera).toEqual({
      command: undefined,
      widthPixels: 320,
      heightPixels: 480,
      quality: 75,
    });
  });

  it.each([...BAD, ...BAD_TOGETHER])('is refused with the place: %j', (text, message) => {
    expect(faultOf(text)).toContain(`pipevine.yaml:`);
    expect(faultOf(text)).toContain(message);
  });

  it('is read in full by the documentation', () => {
    const page = readFileSync(new URL('../../docs/board-things.md', import.meta.url), 'utf8');
    const examples = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text]) => text ?? '');
    expect(examples.length).toBeGreaterThan(3);
    for (const example of examples) expect([example, faultOf(example)]).toEqual([example, undefined]);
  });

  it('keeps the names of the board itself, each of them', () => {
    for (const name of RESERVED_BOARD_NAMES) {
      expect(faultOf(`board:\n  leds:\n    - name: ${name}\n      led: ACT\n`)).toContain(
        'is taken by the board itself',
      );
    }
  });
});

describe('the published schema', () => {
  it('agrees with our own checker about the section', () => {
    const published = JSON.parse(readFileSync(new URL('pipevine.schema.json', import.meta.url), 'utf8'));
    const validate = new Ajv2020({ strict: false }).compile(published);
    for (const text of [FULL, 'board: true\n', 'board: false\n']) {
      expect([text, validate(parse(text))]).toEqual([text, true]);
    }
    for (const [text] of BAD) expect([text, validate(parse(text))]).toEqual([text, false]);
  });
});
