import { PipevineError } from '@pipevine/runtime';
import { describe, expect, it } from 'vitest';
import { humanDuration, parseDuration } from './duration.ts';
import { exitCodeOf } from './exit-code.ts';
import { Output } from './output.ts';
import { printable } from './printable.ts';
import { table } from './table.ts';

function outputOf(json: boolean, debug = false) {
  const text = { out: '', err: '' };
  const sink = (name: 'out' | 'err') => ({
    write: (chunk: string) => {
      text[name] += chunk;
    },
  });
  return { text, output: new Output({ json, debug, out: sink('out'), err: sink('err') }) };
}

it.each([
  ['not-found', 3],
  ['timeout', 4],
  ['refused', 5],
  ['expired', 5],
  ['ambiguous', 2],
  ['invalid-argument', 2],
  ['busy', 1],
  ['internal', 1],
] as const)('%s exits %d', (code, exit) => {
  expect(exitCodeOf(new PipevineError(code, ''))).toBe(exit);
});

it('a foreign error exits 1', () => {
  expect(exitCodeOf(new TypeError('x'))).toBe(1);
});

describe('an error', () => {
  it('is one line, without a stack', () => {
    const { text, output } = outputOf(false);
    output.error(new PipevineError('busy', 'first\n  second'));
    expect(text).toEqual({ out: '', err: 'pipevine: first second\n' });
  });

  it('is one JSON value under --json', () => {
    const { text, output } = outputOf(true);
    output.error(new PipevineError('busy', 'taken'));
    expect(JSON.parse(text.err)).toEqual({ error: { code: 'busy', message: 'taken' } });
  });

  it('shows its stack to who asks for it', () => {
    const { text, output } = outputOf(false, true);
    output.error(new PipevineError('busy', 'taken', { cause: new Error('because') }));
    expect(text.err).toMatch(/at .*output\.test\.ts/);
    expect(text.err).toContain('caused by Error: because');
  });
});

describe('control characters of others', () => {
  const hostile = 'a\u001b[2J\u009b1m\u202eb';

  it('are shown and not obeyed, in results, notices and errors; lines stay lines', () => {
    const { text, output } = outputOf(false);
    output.line(`x\n${hostile}`);
    output.value({}, () => hostile);
    output.notice(hostile);
    output.error(new PipevineError('refused', hostile));
    const shown = 'a\ufffd[2J\ufffd1m\ufffdb';
    expect(text).toEqual({ out: `x\n${shown}\n${shown}\n`, err: `pipevine: ${shown}\npipevine: ${shown}\n` });
  });

  it('are escaped under --json, where the value stays what it was', () => {
    const { text, output } = outputOf(true);
    output.value({ name: hostile }, () => '');
    expect(text.out).toBe('{"name":"a\\u001b[2J\\u009b1m\\u202eb"}\n');
    expect(JSON.parse(text.out)).toEqual({ name: hostile });
  });
});

it('aligns columns by what is seen, and pads no line end', () => {
  expect(
    table(
      ['A', 'B'],
      [
        ['lämp', 'x'],
        ['l', ''],
      ],
    ),
  ).toBe('A     B\nlämp  x\nl');
});

it('shows control characters of others instead of obeying them', () => {
  expect(printable('a\u001b[2Jb\u202ec')).toBe('a\ufffd[2Jb\ufffdc');
});

it('reads and writes durations', () => {
  expect(['90', '15min', '15m', '24h', '7d', '1.5h'].map(parseDuration)).toEqual([
    90e3, 900e3, 900e3, 86_400e3, 604_800e3, 5_400e3,
  ]);
  expect(parseDuration('soon')).toBeUndefined();
  expect([0, 61_000, 90_061_000].map(humanDuration)).toEqual(['0 s', '1 min 1 s', '1 d 1 h']);
});
