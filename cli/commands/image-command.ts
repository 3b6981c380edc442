import type { CommandSpec } from '../arguments/command-spec.ts';
import { SETUP_OPTIONS } from './setup-options.ts';

export const IMAGE_COMMAND: CommandSpec = {
  name: 'image',
  parameters: [],
  description: 'put Pipevine, and the settings of a board, into a copy of a stock image; without root',
  settings: ['profile'],
  options: [
    { key: 'board', placeholder: 'NAME', description: 'kind of board; `pipevine board list` shows them' },
    {
      key: 'base',
      placeholder: 'IMAGE',
      description: 'stock Raspberry Pi OS or Debian: .img, .img.xz, .img.zst or .img.gz',
    },
    { key: 'from-debian', description: 'instead of --base: a small system from packages of Debian; as root' },
    { key: 'mirror', placeholder: 'URL', description: 'where these come from; default: http://deb.debian.org/debian' },
    {
      key: 'security-mirror',
      placeholder: 'URL',
      description: 'and their updates; default: http://deb.debian.org/debian-security',
    },
    { key: 'out', placeholder: 'FILE', description: 'the new image: .img, or .img.zst to have it packed' },
    ...SETUP_OPTIONS,
    { key: 'package', placeholder: 'DEB', description: 'a package that `pipevine bundle` made, instead of a new one' },
  ],
  run: async (context, { local }) => (await import('./image.ts')).image(context, local),
};
