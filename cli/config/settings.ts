import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { PipevineError } from '@pipevine/runtime';
import { defaultHome } from '../home/home.ts';
import { parseConfig } from './config-file.ts';
import { isSection, type OptionValue, optionFault, parseOptionText } from './option-value.ts';
import { OPTIONS, type OptionKey, type OptionSpec, variableOf } from './options.ts';
import type { YamlSection } from './yaml-mapping.ts';

export type Profile = 'edge' | 'gateway';
export type RendezvousSetting = 'never' | 'auto' | 'always';
export type PeerInfoSetting = 'members' | 'administrators' | 'nobody';
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** The board is shown; the section of the configuration file that says more, when there is one. */
export interface BoardSetting {
  readonly section: YamlSection | undefined;
}

/** Everything that can be set, after precedence: flag, then variable, then file, then default. */
export interface Settings {
  readonly home: string;
  /** The configuration file that was read. */
  readonly configFile: string | undefined;
  readonly profile: Profile | undefined;
  readonly name: string;
  /** Undefined: the profile's default. */
  readonly listen: readonly string[] | undefined;
  readonly seed: readonly string[];
  readonly mqtt: string | undefined;
  readonly mqttPassword: string | undefined;
  readonly mqttPasswordFile: string | undefined;
  readonly mqttCa: string | undefined;
  readonly tlsCertificate: string | undefined;
  readonly tlsKey: string | undefined;
  readonly tlsCa: string | undefined;
  readonly mqttListen: string | undefined;
  readonly multicast: boolean;
  readonly multicastPort: number | undefined;
  /** Empty: all. */
  readonly multicastInterface: readonly string[];
  /** Undefined: the profile's default. */
  readonly rendezvous: RendezvousSetting | undefined;
  readonly peerInfo: PeerInfoSetting | undefined;
  /** Undefined: the board is not shown. */
  readonly board: BoardSetting | undefined;
  readonly timeoutMs: number | undefined;
  readonly logLevel: LogLevel;
  readonly json: boolean;
}

export type Flags = Readonly<Partial<Record<OptionKey, OptionValue>>>;
export type Environment = Readonly<Record<string, string | undefined>>;

/** The configuration file of a home folder. */
export const configFileOf = (home: string) => join(home, 'pipevine.yaml');

/** Reads all sources. Throws `invalid-argument`, naming the flag, the variable or the line of the file. */
export async function loadSettings(flags: Flags, env: Environment): Promise<Settings> {
  const given = new Map<string, OptionValue>();
  const explicit = new Map([...variables(env), ...checkedFlags(flags)]);
  const named = text(explicit, 'config');
  const configFile = named ?? configFileOf(homeOf(explicit, env));
  const source = readConfig(configFile, named !== undefined);
  if (source !== undefined) {
    for (const [key, value] of parseConfig(source, configFile)) given.set(key, value);
    if (named === undefined && given.has('home')) {
      throw new PipevineError(
        'invalid-argument',
        `${configFile}: "home" makes sense only in a file that is named by --config; remove it here`,
      );
    }
  }
  for (const [key, value] of explicit) {
    // `--board` beside a section says what the section says already.
    if (value !== true || !isSection(given.get(key))) given.set(key, value);
  }
  const settings: Settings = {
    home: homeOf(given, env),
    configFile: source === undefined ? undefined : configFile,
    profile: text(given, 'profile') as Profile | undefined, // one of its choices: checked
    name: text(given, 'name') ?? hostname(),
    listen: given.has('listen') ? list(given, 'listen') : undefined,
    seed: list(given, 'seed'),
    mqtt: text(given, 'mqtt'),
    mqttPassword: env.PIPEVINE_MQTT_PASSWORD,
    mqttPasswordFile: text(given, 'mqtt-password-file'),
    mqttCa: text(given, 'mqtt-ca'),
    mqttListen: text(given, 'mqtt-listen'),
    tlsCertificate: text(given, 'tls-certificate'),
    tlsKey: text(given, 'tls-key'),
    tlsCa: text(given, 'tls-ca'),
    multicast: given.get('multicast') !== false,
    multicastPort: number(given, 'multicast-port'),
    multicastInterface: list(given, 'multicast-interface'),
    rendezvous: text(given, 'rendezvous') as RendezvousSetting | undefined, // one of its choices: checked
    peerInfo: text(given, 'peer-info') as PeerInfoSetting | undefined, // as above
    board: boardSetting(given.get('board')),
    timeoutMs: given.has('timeout') ? Number(given.get('timeout')) * 1_000 : undefined,
    logLevel: (text(given, 'log-level') ?? 'info') as LogLevel, // one of its choices: checked
    json: given.get('json') === true,
  };
  checkTogether(settings);
  return settings;
}

function variables(env: Environment): [string, OptionValue][] {
  return OPTIONS.flatMap((option): [string, OptionValue][] => {
    const name = variableOf(option.key);
    const value = env[name];
    return value === undefined || value === ''
      ? []
      : [[option.key, checked(option, parseOptionText(option, value), name, value)]];
  });
}

function checkedFlags(flags: Flags): [string, OptionValue][] {
  return OPTIONS.flatMap((option): [string, OptionValue][] => {
    const value = flags[option.key];
    if (value === undefined) return [];
    const parsed = typeof value === 'string' && option.type !== 'list' ? parseOptionText(option, value) : value;
    return [[option.key, checked(option, parsed, `--${option.key}`, String(value))]];
  });
}

function checked(option: OptionSpec, value: OptionValue | undefined, where: string, written: string): OptionValue {
  const fault = optionFault(option, value);
  if (fault === undefined && value !== undefined) return value;
  throw new PipevineError('invalid-argument', `${where}: ${fault ?? 'expected a value'}, not "${written}"`);
}

function readConfig(file: string, mustExist: boolean): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' && !mustExist) return undefined;
    throw new PipevineError(
      'invalid-argument',
      `${file} cannot be read (${code}); check --config and who may read it`,
      {
        cause: error,
      },
    );
  }
}

function checkTogether(settings: Settings): void {
  const fail = (message: string): never => {
    throw new PipevineError('invalid-argument', message);
  };
  if (settings.mqtt !== undefined) {
    if (!URL.canParse(settings.mqtt)) fail(`--mqtt: expected mqtt://user@host:1883, not "${settings.mqtt}"`);
    if (new URL(settings.mqtt).password !== '') {
      fail('--mqtt: a password in the address is visible to all; set PIPEVINE_MQTT_PASSWORD or --mqtt-password-file');
    }
    if (settings.mqttListen !== undefined) {
      fail('--mqtt uses an existing broker, --mqtt-listen starts the embedded one; give only one of them');
    }
  } else if (settings.mqttCa !== undefined || settings.mqttPasswordFile !== undefined) {
    fail('--mqtt-ca and --mqtt-password-file belong to --mqtt URL; give that too');
  }
  if ((settings.tlsCertificate === undefined) !== (settings.tlsKey === undefined)) {
    fail('--tls-certificate and --tls-key belong together; give both, or neither');
  }
  if (settings.profile === 'edge' && (settings.mqtt !== undefined || settings.mqttListen !== undefined)) {
    fail('an edge peer has no MQTT; use --profile gateway, or leave out --mqtt and --mqtt-listen');
  }
}

const homeOf = (values: ReadonlyMap<string, OptionValue>, env: Environment) =>
  resolve(text(values, 'home') ?? defaultHome(env));

function text(values: ReadonlyMap<string, OptionValue>, key: OptionKey): string | undefined {
  const value = values.get(key);
  return typeof value === 'string' ? value : undefined;
}

function number(values: ReadonlyMap<string, OptionValue>, key: OptionKey): number | undefined {
  const value = values.get(key);
  return typeof value === 'number' ? value : undefined;
}

function list(values: ReadonlyMap<string, OptionValue>, key: OptionKey): readonly string[] {
  const value = values.get(key);
  return Array.isArray(value) ? value : typeof value === 'string' ? [value] : [];
}

function boardSetting(value: OptionValue | undefined): BoardSetting | undefined {
  if (isSection(value)) return { section: value };
  return value === true ? { section: undefined } : undefined;
}
