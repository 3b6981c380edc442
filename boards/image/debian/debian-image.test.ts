import { expect, it } from 'vitest';
import { boardProfile } from '../../profiles/board-profile.ts';
import { debianImage } from './debian-image.ts';

it.each(['rpi-5', 'rpi-32bit', 'generic-x64', 'generic-arm64'])(
  'refuses %s, whose kernel or firmware Debian 13 does not have, and says what serves',
  async (name) => {
    await expect(debianImage({ board: boardProfile(name) })).rejects.toThrow(/rpi-zero-2w, rpi-3, rpi-4; .* --base/);
  },
);

it.each(['', 'deb.debian.org', 'file:///srv/debian', 'http://mirror/de bian', 'http://mirror/\n[trusted=yes]'])(
  'refuses what is no mirror: %j',
  async (mirror) => {
    await expect(debianImage({ board: boardProfile('rpi-3'), mirror })).rejects.toMatchObject({ code: 'usage' });
  },
);
