import { existsSync, globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const HOME = fileURLToPath(new URL('..', import.meta.url));
const ENGLISH = globSync('*/*.en-US.json', { cwd: HOME }).map((path) => HOME + path);

function texts(value: unknown, path = ''): [string, string][] {
  if (typeof value === 'string') return [[path, value]];
  return Object.entries(value as object).flatMap(([key, member]) =>
    texts(member, path === '' ? key : `${path}.${key}`),
  );
}

const read = (file: string) => texts(JSON.parse(readFileSync(file, 'utf8')));

describe.each(ENGLISH.map((file) => [file.slice(HOME.length), file]))('%s', (_name, file) => {
  const german = file.replace('.en-US.', '.de.');

  it('has the same texts in German', () => {
    expect(existsSync(german)).toBe(true);
    expect(read(german).map(([path]) => path)).toEqual(read(file).map(([path]) => path));
  });

  it('has statuses that fit below a node', () => {
    for (const language of [file, german]) {
      for (const [path, text] of read(language)) {
        if (path.startsWith('status.')) expect(text.replace('__count__', '1000').length, text).toBeLessThan(20);
      }
    }
  });

  it('has help with its sections in both languages', () => {
    for (const language of [file, german]) {
      const help = readFileSync(language.replace(/\.json$/, '.md'), 'utf8');
      expect(help).toMatch(/^### (?:Inputs|Outputs|Properties)$/m);
      expect(help).toMatch(/^### Details$/m);
      expect(help).toMatch(/^### References$/m);
    }
  });
});
