import { Ajv } from 'ajv';
import { expect, test } from 'vitest';
import { BOARD_PROFILES, boardProfile } from '../profiles/board-profile.ts';
import schema from './imager-manifest.schema.json' with { type: 'json' };
import { type ImagerManifestInit, imagerManifest } from './imager-manifest.ts';

const init: ImagerManifestInit = {
  board: boardProfile('rpi-zero-2w'),
  version: '0.1.0',
  file: '/home/ann/my images/a#b.img.zst',
  imageBytes: 2 ** 31,
  imageSha256: 'a'.repeat(64),
  packedBytes: 500_000_000,
  packedSha256: 'b'.repeat(64),
  format: 'cloudinit-rpi',
  date: new Date('2026-11-21T20:00:00Z'),
};
const isManifest = new Ajv().compile(schema);

test.each(BOARD_PROFILES.filter(({ name }) => name.startsWith('rpi-')))(
  'is what Raspberry Pi Imager reads: $name',
  (board) => {
    isManifest(JSON.parse(imagerManifest({ ...init, board }) ?? ''));
    expect(isManifest.errors).toBeNull();
  },
);

test('names the image by an address, also with a space and a number sign', () => {
  const { os_list } = JSON.parse(imagerManifest(init) ?? '');
  expect(os_list[0]).toMatchObject({
    url: 'file:///home/ann/my%20images/a%23b.img.zst',
    extract_size: 2 ** 31,
    release_date: '2026-11-21',
    devices: ['pi3-64bit'],
    init_format: 'cloudinit-rpi',
  });
});

test('is made only for boards that Imager knows', () => {
  expect(imagerManifest({ ...init, board: boardProfile('generic-x64') })).toBeUndefined();
});

test.each([{ os_list: [] }, { imager: {}, os_list: [{}] }, {}])(
  'the schema takes no other document: %j',
  (document) => {
    expect(isManifest(document)).toBe(false);
  },
);
