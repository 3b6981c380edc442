import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { BOARD_PROFILES, boardProfile } from './board-profile.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));
const read = (file: string) => JSON.parse(readFileSync(`${folder}/${file}`, 'utf8'));
const files = globSync('*.json', { cwd: folder }).filter((file) => !file.endsWith('.schema.json'));
const isValid = new Ajv2020({ strict: true }).compile(read('board-profile.schema.json'));

describe.each(files)('%s', (file) => {
  it('keeps the schema', () => {
    isValid(read(file));
    expect(isValid.errors ?? []).toEqual([]);
  });

  it('bears the name of its board, and is known', () => {
    expect(read(file)).toMatchObject(boardProfile(basename(file, '.json')));
  });

  it('has limits that leave room between reclaiming and ending', () => {
    for (const { highMiB, maxMiB } of Object.values(boardProfile(basename(file, '.json')).memory)) {
      expect(maxMiB).toBeGreaterThan(highMiB);
    }
  });
});

it('knows no board but those of the files', () => {
  expect(BOARD_PROFILES.map(({ name }) => name).sort()).toEqual(files.map((file) => basename(file, '.json')).sort());
  expect(() => boardProfile('rpi-6')).toThrow(/no board "rpi-6"; there are rpi-zero-2w, /);
});

it('refuses a profile with a part that it does not know', () => {
  expect(isValid({ ...read('rpi-4.json'), devices: ['gpio', 'floppy'] })).toBe(false);
});
