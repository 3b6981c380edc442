import type { CommandSpec, LocalOption } from '../arguments/command-spec.ts';
import type { OptionKey } from '../config/options.ts';

const JOINING: readonly OptionKey[] = ['name', 'seed', 'multicast', 'multicast-port', 'multicast-interface'];
const MQTT: readonly OptionKey[] = ['mqtt', 'mqtt-password-file', 'mqtt-ca', 'mqtt-listen'];
const RUNNING: readonly OptionKey[] = ['profile', 'listen', ...JOINING, ...MQTT, 'log-level'];

const NAME: LocalOption = { key: 'name', placeholder: 'GLOB', description: 'only these; * stands for any characters' };

/** Every command. Each loads its part only when it is run: `pipevine read` needs no overlay, just a socket. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'up',
    parameters: [],
    description: 'run a peer until Ctrl-C: a gateway, or a minimal peer with --profile edge',
    settings: RUNNING,
    options: [],
    run: async (context) => (await import('./up.ts')).up(context),
  },
  {
    name: 'init',
    parameters: [],
    description: 'make an identity and a configuration file to start from',
    settings: ['name'],
    options: [],
    run: async (context) => (await import('./init.ts')).init(context),
  },
  {
    name: 'join',
    parameters: ['CODE'],
    description: 'join a group by a code or link from its gateway',
    settings: JOINING,
    options: [],
    run: async (context, { positionals: [code = ''] }) => (await import('./membership.ts')).join(context, code),
  },
  {
    name: 'invite',
    parameters: [],
    description: 'make a join code for other machines',
    settings: [],
    options: [
      { key: 'group', placeholder: 'GROUP', description: 'which group, if there are several' },
      { key: 'lifetime', placeholder: 'TIME', description: 'how long the code can be used: 15min, 24h, 7d' },
      { key: 'uses', placeholder: 'COUNT', description: 'how many machines it admits' },
    ],
    run: async (context, { local }) => (await import('./membership.ts')).invite(context, local),
  },
  {
    name: 'status',
    parameters: [],
    description: 'what the running peer is and does',
    settings: [],
    options: [],
    run: async (context) => (await import('./status.ts')).status(context),
  },
  {
    name: 'peers',
    parameters: [],
    description: 'other peers: neighbours, and members of the own groups',
    settings: [],
    options: [],
    run: async (context) => (await import('./lists.ts')).peers(context),
  },
  {
    name: 'things',
    parameters: [],
    description: 'devices and services of the own groups',
    settings: [],
    options: [
      NAME,
      { key: 'connector', placeholder: 'NAME', description: 'only those that came this way, for example mqtt' },
    ],
    run: async (context, { local }) => (await import('./lists.ts')).things(context, local),
  },
  {
    name: 'discover',
    parameters: ['KIND'],
    description: 'signed advertisements: peer, group, pipe, thing, route, name, module, content, delegation',
    settings: [],
    options: [
      NAME,
      { key: 'attr', placeholder: 'KEY=VALUE', description: 'only with this attribute, repeatable', repeatable: true },
    ],
    run: async (context, { positionals: [kind = ''], local }) =>
      (await import('./lists.ts')).discover(context, kind, local),
  },
  {
    name: 'read',
    parameters: ['THING', 'PROPERTY'],
    description: 'print a value',
    settings: [],
    options: [],
    run: async (context, { positionals: [thing = '', property = ''] }) =>
      (await import('./interact.ts')).read(context, thing, property),
  },
  {
    name: 'write',
    parameters: ['THING', 'PROPERTY', 'VALUE'],
    description: 'set a value',
    settings: [],
    options: [],
    run: async (context, { positionals: [thing = '', property = '', value = ''] }) =>
      (await import('./interact.ts')).write(context, thing, property, value),
  },
  {
    name: 'invoke',
    parameters: ['THING', 'ACTION', '[INPUT]'],
    description: 'call an action, and print what it gives back',
    settings: [],
    options: [],
    run: async (context, { positionals: [thing = '', action = '', input] }) =>
      (await import('./interact.ts')).invoke(context, thing, action, input),
  },
  {
    name: 'observe',
    parameters: ['THING', 'PROPERTY'],
    description: 'print each new value of a property, or each event of that name, until Ctrl-C',
    settings: [],
    options: [],
    run: async (context, { positionals: [thing = '', property = ''] }) =>
      (await import('./observe.ts')).observe(context, thing, property),
  },
  {
    name: 'doctor',
    parameters: [],
    description: 'check this machine, its network and the running peer',
    settings: RUNNING,
    options: [],
    run: async (context) => (await import('../doctor/doctor.ts')).doctor(context),
  },
];
