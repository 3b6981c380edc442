import type { CommandSpec } from '../arguments/command-spec.ts';
import { SETUP_OPTIONS } from './setup-options.ts';

export const FLASH_COMMAND: CommandSpec = {
  name: 'flash',
  parameters: ['[IMAGE]'],
  description: 'write an image to a card, set the board up, and read it back',
  settings: [],
  options: [
    { key: 'list', description: 'show the drives that an image can go to, and do nothing' },
    { key: 'device', placeholder: 'DEVICE', description: 'drive, such as /dev/sdb, or a plain file' },
    {
      key: 'fixed-disk',
      placeholder: 'DEVICE',
      description: 'instead of --device: a built-in disk, to be overwritten',
    },
    { key: 'yes', description: 'do not ask' },
    { key: 'check', description: 'say whether the card in --device was written to its end, and do nothing' },
    ...SETUP_OPTIONS,
    { key: 'wait', description: 'then wait until the board is seen on the overlay; --timeout SECONDS, else 5 minutes' },
  ],
  run: async (context, { positionals: [image], local }) =>
    (await import('./flash.ts')).flashCard(context, image, local),
};
