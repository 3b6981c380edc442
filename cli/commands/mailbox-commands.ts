import type { CommandSpec } from '../arguments/command-spec.ts';
import { BINARY } from './binary-option.ts';
import { GROUP } from './group-option.ts';

const load = () => import('./mailbox.ts');

/** Commands for messages to members that are away; a build for edges has none of them. */
export const MAILBOX_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'mailbox send',
    family: 'messages for members that are away',
    parameters: ['PEER', '[TEXT]'],
    description: 'leave a message for a member, which may be away; without TEXT all of standard input',
    settings: [],
    options: [
      { key: 'receipt', description: 'ask the recipient to confirm, and wait for it a while' },
      { key: 'lifetime', placeholder: 'TIME', description: 'how long it is worth keeping: 15min, 24h, 7d (default)' },
      { key: 'binary', description: 'standard input is the message, byte by byte' },
      GROUP,
    ],
    run: async (context, given) => (await load()).send(context, given),
  },
  {
    name: 'mailbox receive',
    parameters: [],
    description: 'print messages that were left for this peer, until Ctrl-C; what is printed is taken',
    settings: [],
    options: [BINARY, GROUP],
    run: async (context, given) => (await load()).receive(context, given),
  },
  {
    name: 'mailbox status',
    parameters: [],
    description: 'messages that wait here, at relays, and here for others',
    settings: [],
    options: [],
    run: async (context) => (await load()).status(context),
  },
];
