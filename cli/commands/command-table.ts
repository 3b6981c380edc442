import { NAMED_PIPE_KINDS } from '@pipevine/runtime';
import type { CommandSpec, CommandTable, LocalOption } from '../arguments/command-spec.ts';
import type { OptionKey } from '../config/options.ts';
import { BINARY } from './binary-option.ts';
import { GROUP } from './group-option.ts';
import { PASSWORD_FILE } from './password-option.ts';

const JOINING: readonly OptionKey[] = ['name', 'seed', 'multicast', 'multicast-port', 'multicast-interface', 'tls-ca'];
const MQTT: readonly OptionKey[] = ['mqtt', 'mqtt-password-file', 'mqtt-ca', 'mqtt-listen'];
const SERVING: readonly OptionKey[] = ['rendezvous', 'peer-info', 'board'];
const RUNNING: readonly OptionKey[] = [
  'profile',
  'listen',
  'tls-certificate',
  'tls-key',
  ...JOINING,
  ...MQTT,
  ...SERVING,
  'log-level',
];

const NAME: LocalOption = { key: 'name', placeholder: 'GLOB', description: 'only these; * stands for any characters' };

const KIND: LocalOption = {
  key: 'kind',
  placeholder: 'KIND',
  description: `of the pipe: ${NAMED_PIPE_KINDS.join(', ')}`,
};

/** For a build without the commands of those who run groups. */
const EDGE_ONLY = 'this build is for edge peers; the full pipevine has more commands';

/** All commands of a build, `moreCommands` among them, in the order of the help. */
export function commandTable(moreCommands?: readonly CommandSpec[]): CommandTable {
  const all = [...COMMANDS, ...(moreCommands ?? [])];
  const members = all.filter(({ name }) => name.includes(' ')).sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    commands: [...all.filter(({ name }) => !name.includes(' ')), ...members],
    families: new Map(members.flatMap(({ name, family }) => (family === undefined ? [] : [[familyOf(name), family]]))),
    lacking: all.some(({ name }) => name === 'invite') ? undefined : EDGE_ONLY,
  };
}

const familyOf = (name: string) => name.slice(0, name.indexOf(' '));

/** What every peer can do. Each loads its part only when it is run: `pipevine read` needs no overlay, just a socket. */
const COMMANDS: readonly CommandSpec[] = [
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
    run: async (context, { positionals: [code = ''] }) => (await import('./join.ts')).joinByCode(context, code),
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
  {
    name: 'info',
    parameters: ['PEER'],
    description: 'how another member is: version, uptime, traffic, memory, links, as far as it tells',
    settings: [],
    options: [GROUP],
    run: async (context, { positionals: [peer = ''], local }) => (await import('./info.ts')).info(context, peer, local),
  },
  {
    name: 'explain',
    parameters: ['PEER'],
    description: 'which path carries traffic to a peer, what else was tried, and what to do; also of a thing',
    settings: [],
    options: [{ key: 'connect', description: 'try to reach it first, for 5 s at most; the default' }],
    run: async (context, given) => (await import('./explain.ts')).explain(context, given),
  },
  {
    name: 'group list',
    family: 'groups of peers: who is in them, and who may do what',
    parameters: [],
    description: 'the own groups, and applications that wait',
    settings: ['seed'],
    options: [{ key: 'nearby', description: 'groups that can be found and joined, instead' }],
    run: async (context, { local }) => (await import('./group.ts')).list(context, local),
  },
  {
    name: 'group show',
    parameters: ['[GROUP]'],
    description: 'policy, own rights and rendezvous of a group',
    settings: [],
    options: [GROUP],
    run: async (context, given) => (await import('./group.ts')).show(context, given),
  },
  {
    name: 'group join',
    parameters: ['CODE|NAME|ID'],
    description: 'join a group: by a code, or by its name or id, and a password or approval if it asks for one',
    settings: JOINING,
    options: [PASSWORD_FILE],
    run: async (context, given) => (await import('./join.ts')).join(context, given),
  },
  {
    name: 'group leave',
    parameters: ['GROUP'],
    description: 'give up a membership, or take back an application',
    settings: [],
    options: [{ key: 'end', description: 'also if this peer founded the group, which ends with it' }],
    run: async (context, given) => (await import('./group.ts')).leave(context, given),
  },
  {
    name: 'group members',
    parameters: ['[GROUP]'],
    description: 'who is in a group, with which rights, until when',
    settings: [],
    options: [GROUP],
    run: async (context, given) => (await import('./group.ts')).members(context, given),
  },
  {
    name: 'pipe listen',
    family: 'messages between peers of a group, by name',
    parameters: ['NAME'],
    description: 'print the messages that come under a name, until Ctrl-C; of kind request, answer from standard input',
    settings: [],
    options: [KIND, BINARY, GROUP],
    run: async (context, given) => (await import('./pipe.ts')).listen(context, given),
  },
  {
    name: 'pipe send',
    parameters: ['NAME'],
    description: 'send each line of standard input to whoever listens under a name',
    settings: [],
    options: [
      { key: 'to', placeholder: 'PEER', description: 'to this peer, if several listen' },
      KIND,
      BINARY,
      { key: 'keep', description: 'look for the listener again when it goes away; the default at a terminal' },
      GROUP,
    ],
    run: async (context, given) => (await import('./pipe.ts')).send(context, given),
  },
  {
    name: 'pipe ls',
    parameters: [],
    description: 'who listens under which name',
    settings: [],
    options: [GROUP],
    run: async (context, given) => (await import('./pipe.ts')).list(context, given),
  },
];
