/** What an option's value may be. `list` is a list of strings. */
export type OptionType = 'string' | 'boolean' | 'integer' | 'number' | 'list';

/** One option: a flag `--key`, a variable `PIPEVINE_KEY`, and a key of the configuration file, all of one name. */
export interface OptionSpec {
  readonly key: string;
  readonly type: OptionType;
  /** How the value is called in the help. */
  readonly placeholder?: string;
  readonly description: string;
  readonly choices?: readonly string[];
  /** A value, or each of a list, must match. */
  readonly pattern?: string;
  /** What the pattern or the bounds mean, for people. */
  readonly expected?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  /** Whether the file may have a mapping of its own below the key, which is read by whoever needs it. */
  readonly section?: boolean;
  /** False: only as a flag and a variable. */
  readonly inFile?: boolean;
}

const ADDRESS = { pattern: '^[a-z]+://.+', expected: 'an address such as tcp://192.168.1.5:7473' };

/** Every option, in the order of the documentation. Secrets are none of them: see `mqtt-password` in docs/configuration.md. */
export const OPTIONS = [
  { key: 'home', type: 'string', placeholder: 'DIR', description: 'folder for identity, data and control socket' },
  { key: 'config', type: 'string', placeholder: 'FILE', description: 'configuration file', inFile: false },
  {
    key: 'profile',
    type: 'string',
    placeholder: 'PROFILE',
    description: 'edge: a minimal peer; gateway: also stands in for MQTT devices',
    choices: ['edge', 'gateway'],
  },
  {
    key: 'name',
    type: 'string',
    placeholder: 'NAME',
    description: 'name of this peer for people',
    pattern: '^\\S(.{0,62}\\S)?$',
    expected: '1 to 64 characters without a space at either end',
  },
  { key: 'listen', type: 'list', placeholder: 'ADDR', description: 'address to listen on, repeatable', ...ADDRESS },
  {
    key: 'seed',
    type: 'list',
    placeholder: 'ADDR',
    description: 'address of a peer to connect to, repeatable',
    ...ADDRESS,
  },
  {
    key: 'mqtt',
    type: 'string',
    placeholder: 'URL',
    description: 'use this MQTT broker instead of the embedded one',
    pattern: '^mqtts?://.+',
    expected: 'an address such as mqtt://user@host:1883 or mqtts://host',
  },
  {
    key: 'mqtt-password-file',
    type: 'string',
    placeholder: 'FILE',
    description: 'file whose first line is the password for --mqtt; or set PIPEVINE_MQTT_PASSWORD',
  },
  {
    key: 'mqtt-ca',
    type: 'string',
    placeholder: 'FILE',
    description: 'certificate authority (PEM) of an mqtts:// broker',
  },
  {
    key: 'mqtt-listen',
    type: 'string',
    placeholder: 'HOST:PORT',
    description: 'where the embedded broker listens',
    pattern: '^(\\[[^\\]]+\\]|[^:]+):\\d{1,5}$',
    expected: 'HOST:PORT, such as 0.0.0.0:1883',
  },
  {
    key: 'tls-certificate',
    type: 'string',
    placeholder: 'FILE',
    description: 'certificate with its chain (PEM), to listen on wss:// or https://',
  },
  { key: 'tls-key', type: 'string', placeholder: 'FILE', description: 'key of --tls-certificate (PEM)' },
  {
    key: 'tls-ca',
    type: 'string',
    placeholder: 'FILE',
    description: 'certificate authority (PEM) of wss:// and https:// peers; default: those that the system trusts',
  },
  { key: 'multicast', type: 'boolean', description: 'find peers on the local network, and be found' },
  {
    key: 'multicast-port',
    type: 'integer',
    placeholder: 'PORT',
    description: 'UDP port of local discovery; peers with different ports do not hear each other',
    minimum: 1,
    maximum: 65_535,
    expected: 'a port from 1 to 65535',
  },
  {
    key: 'multicast-interface',
    type: 'list',
    placeholder: 'NAME',
    description: 'network interface for local discovery, such as eth0, and no other; repeat for more',
  },
  {
    key: 'rendezvous',
    type: 'string',
    placeholder: 'MODE',
    description: 'serve groups as a rendezvous: never, auto (when no other answers) or always',
    choices: ['never', 'auto', 'always'],
  },
  {
    key: 'peer-info',
    type: 'string',
    placeholder: 'WHOM',
    description: 'who may ask this peer about uptime, traffic and memory: members, administrators or nobody',
    choices: ['members', 'administrators', 'nobody'],
  },
  {
    key: 'board',
    type: 'boolean',
    description: 'show the board this runs on as a thing; in the file also a mapping that names pins and sensors',
    expected: 'true, false, or a mapping of its own',
    section: true,
  },
  {
    key: 'timeout',
    type: 'number',
    placeholder: 'SECONDS',
    description: 'how long a command waits for an answer',
    minimum: 0.001,
    maximum: 86_400,
    expected: 'seconds, up to a day',
  },
  {
    key: 'log-level',
    type: 'string',
    placeholder: 'LEVEL',
    description: 'least important messages to log',
    choices: ['debug', 'info', 'warn', 'error'],
  },
  { key: 'json', type: 'boolean', description: 'print one JSON value a line', inFile: false },
] as const satisfies readonly OptionSpec[];

export type OptionKey = (typeof OPTIONS)[number]['key'];

export function optionOf(key: string): OptionSpec | undefined {
  return OPTIONS.find((option) => option.key === key);
}

export const variableOf = (key: string) => `PIPEVINE_${key.toUpperCase().replaceAll('-', '_')}`;
