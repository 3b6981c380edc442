import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { CODECS } from './control-plane-codecs.ts';
import { DATA_PLANE_CODECS } from './data-plane-codecs.ts';
import { PATH_CODECS } from './path-codecs.ts';
import { STORAGE_CODECS } from './storage-codecs.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const EXPORT = /^export (?:async )?(?:function\*?|const) (decode[A-Z]\w*)/gm;
/** Tried by wire-fuzz.test.ts, and by every codec that stands on them. */
const BY_ITSELF = ['decodeStrict', 'decodeScanned'];

it('every decoder of the runtime and the transports is tried with hostile input', async () => {
  const tried = new Set(
    [...CODECS, ...DATA_PLANE_CODECS, ...STORAGE_CODECS, ...PATH_CODECS].flatMap(
      ({ decode, covers }): readonly unknown[] => [decode, ...(covers ?? [])],
    ),
  );
  let found = 0;
  const missing: string[] = [];
  for (const file of globSync('{runtime,transports}/**/*.ts', { cwd: ROOT })) {
    if (file.endsWith('.test.ts') || file.includes('node_modules')) continue;
    const names = [...readFileSync(`${ROOT}${file}`, 'utf8').matchAll(EXPORT)].map(([, name]) => name ?? '');
    if (names.length === 0) continue;
    const module: Record<string, unknown> = await import(`${ROOT}${file}`);
    for (const name of names) {
      found++;
      if (!BY_ITSELF.includes(name) && !tried.has(module[name])) missing.push(`${file}: ${name}`);
    }
  }
  expect(found, 'a test that finds no decoder shows nothing').toBeGreaterThan(50);
  expect(missing, 'each needs an entry in the lists of codecs beside this test').toEqual([]);
});
