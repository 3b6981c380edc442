import { describe, expect, it } from 'vitest';
import { importsOf } from './imports.ts';
import { violationsOf } from './rules.ts';

const NONE = { runtime: new Set<string>(), all: new Set<string>() };

function check(files: Record<string, string[]>, declared: Record<string, string[]> = {}): string[] {
  return violationsOf({
    files: new Map(Object.entries(files).map(([path, lines]) => [path, lines.join('\n')])),
    dependencies: new Map([
      ['', NONE],
      ...Object.entries(declared).map(
        ([folder, names]) => [folder, { runtime: new Set(names), all: new Set(names) }] as const,
      ),
    ]),
  });
}

describe('finding imports', () => {
  it('sees every form, over several lines, and whether it is gone at run time', () => {
    const source = [
      "import 'node:fs';",
      "import type { A } from './a.ts';",
      'import {',
      '  type B,',
      '  type C,',
      "} from './b.ts';",
      "import D, { type E } from './d.ts';",
      "export * from './f.ts';",
      "const g = await import('./g.ts');",
      "// import './comment.ts'",
      "/** import './comment.ts' */",
    ].join('\n');
    expect(importsOf(source)).toEqual([
      { specifier: 'node:fs', line: 1, typeOnly: false },
      { specifier: './a.ts', line: 2, typeOnly: true },
      { specifier: './b.ts', line: 3, typeOnly: true },
      { specifier: './d.ts', line: 7, typeOnly: false },
      { specifier: './f.ts', line: 8, typeOnly: false },
      { specifier: './g.ts', line: 9, typeOnly: false },
    ]);
  });
});

describe('the import rules', () => {
  it('are green for what the design allows', () => {
    const found = check(
      {
        'runtime/index.ts': ["export * from './id.ts';"],
        'runtime/id.ts': ['export const id = 1;'],
        'transports/index.ts': ["import { id } from '@pipevine/runtime';", "import net from 'node:net';"],
        'test/x.test.ts': ["import { id } from '@pipevine/runtime';"],
      },
      { transports: ['@pipevine/runtime'] },
    );
    expect(found).toEqual([]);
  });

  it.each([
    ['the runtime importing Node', { 'runtime/a.ts': ["import 'node:fs';"] }, 'free of Node'],
    ['a wrong direction', { 'runtime/a.ts': ["import '@pipevine/transports';"] }, 'must not import transports'],
    ['a wrong direction by a type', { 'boards/a.ts': ["import type { A } from 'pipevine';"] }, 'must not import cli'],
    ['reaching into a package', { 'cli/a.ts': ["import '@pipevine/runtime/id/x.ts';"] }, 'reaches into a package'],
    ['a relative path out of a package', { 'cli/a.ts': ["import '../runtime/index.ts';"] }, 'leaves the package'],
    ['a relative path into a package', { 'bench/a.ts': ["import '../runtime/index.ts';"] }, 'reaches into a package'],
    ['an undeclared dependency', { 'cli/a.ts': ["import 'yaml';"] }, "does not declare 'yaml'"],
    ['a missing file', { 'cli/a.ts': ["import './b.ts';"] }, 'does not exist'],
    ['an ambient global', { 'runtime/a.ts': ['setTimeout(() => {}, 1);'] }, 'ambient setTimeout('],
    ['ambient randomness', { 'runtime/a.ts': ['const x = Math.random();'] }, 'ambient Math.random'],
  ])('go red for %s', (_title, files: Record<string, string[]>, message) => {
    expect(check(files, { cli: [] }).join('\n')).toContain(message);
  });

  it('go red for a cycle of three files, once, and not for one of types', () => {
    const cycle = {
      'cli/a.ts': ["import './b.ts';"],
      'cli/b.ts': ["import './c.ts';"],
      'cli/c.ts': ["import './a.ts';"],
    };
    expect(check(cycle)).toEqual(['cycle: cli/a.ts -> cli/b.ts -> cli/c.ts']);
    expect(check({ ...cycle, 'cli/c.ts': ["import type { A } from './a.ts';"] })).toEqual([]);
  });
});
