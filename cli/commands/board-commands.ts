import type { CommandSpec } from '../arguments/command-spec.ts';
import { FLASH_COMMAND } from './flash-command.ts';
import { IMAGE_COMMAND } from './image-command.ts';

const loadBoard = () => import('./board.ts');
const loadKeys = () => import('./keys.ts');
const loadService = () => import('./service.ts');

/** Commands for making and running what boards get; a build for edges has none of them. */
export const BOARD_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'bundle',
    parameters: [],
    description: 'make executable, Debian package and signed checksums for a board; in a clone',
    settings: ['profile'],
    options: [
      { key: 'board', placeholder: 'NAME', description: 'kind of board; `pipevine board list` shows them' },
      { key: 'out', placeholder: 'DIR', description: 'where the files go; default: pipevine-BOARD' },
      { key: 'fast', description: 'compress quickly, for trying' },
      { key: 'unsigned', description: 'leave the checksums without a signature' },
    ],
    run: async (context, { local }) => (await loadBoard()).bundle(context, local),
  },
  IMAGE_COMMAND,
  FLASH_COMMAND,
  {
    name: 'verify',
    parameters: ['FILE'],
    description: 'check a file of a release against its signed checksums',
    settings: [],
    options: [
      { key: 'key', placeholder: 'KEY', description: 'public key of the signer, besides those that are trusted' },
    ],
    run: async (context, { positionals: [file = ''], local }) => (await loadKeys()).verify(context, file, local),
  },
  {
    name: 'board list',
    family: 'boards that Pipevine can be bundled for',
    parameters: [],
    description: 'boards that Pipevine can be bundled for',
    settings: [],
    options: [],
    run: async (context) => (await loadBoard()).list(context),
  },
  {
    name: 'board show',
    parameters: ['NAME'],
    description: 'what is known of a kind of board',
    settings: [],
    options: [],
    run: async (context, { positionals: [name = ''] }) => (await loadBoard()).show(context, name),
  },
  {
    name: 'keys list',
    family: 'keys that sign releases, and those that are trusted',
    parameters: [],
    description: 'the own signing key, and keys whose releases are trusted',
    settings: [],
    options: [],
    run: async (context) => (await loadKeys()).list(context),
  },
  {
    name: 'keys create',
    parameters: [],
    description: 'make a key that signs what `pipevine bundle` makes',
    settings: [],
    options: [],
    run: async (context) => (await loadKeys()).create(context),
  },
  {
    name: 'keys trust',
    parameters: ['KEY', 'NAME'],
    description: 'trust releases that a key has signed',
    settings: [],
    options: [],
    run: async (context, { positionals: [key = '', name = ''] }) => (await loadKeys()).trust(context, key, name),
  },
  {
    name: 'keys forget',
    parameters: ['NAME'],
    description: 'trust a key no longer',
    settings: [],
    options: [],
    run: async (context, { positionals: [name = ''] }) => (await loadKeys()).forget(context, name),
  },
  {
    name: 'service install',
    family: 'Pipevine as the service of this machine',
    parameters: [],
    description: 'run this pipevine as a service of systemd from now on; as root',
    settings: ['profile'],
    options: [],
    run: async (context) => (await loadService()).install(context),
  },
  {
    name: 'service status',
    parameters: [],
    description: 'whether the service runs',
    settings: [],
    options: [],
    run: async (context) => (await loadService()).status(context),
  },
  {
    name: 'service logs',
    parameters: [],
    description: 'what the service has logged',
    settings: [],
    options: [
      { key: 'lines', placeholder: 'COUNT', description: 'how many of the last lines; default: 50' },
      { key: 'follow', description: 'go on until Ctrl-C' },
    ],
    run: async (context, { local }) => (await loadService()).logs(context, local),
  },
  {
    name: 'service uninstall',
    parameters: [],
    description: 'end the service and take it away; as root',
    settings: [],
    options: [{ key: 'purge', description: 'also its configuration, identity and data' }],
    run: async (context, { local }) => (await loadService()).uninstall(context, local),
  },
];
