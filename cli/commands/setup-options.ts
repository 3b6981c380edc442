import { readFile } from 'node:fs/promises';
import type { BoardSetup } from '@pipevine/boards';
import { PipevineError } from '@pipevine/runtime';
import { type Arguments, isOn, type LocalOption } from '../arguments/command-spec.ts';
import { parseConfig } from '../config/config-file.ts';
import type { Input } from '../input/input.ts';
import { readPassword } from '../input/password.ts';

const MAX_FILE_BYTES = 64 * 1_024;

/** What a board shall be, as it goes into its setup file. */
export const SETUP_OPTIONS: readonly LocalOption[] = [
  { key: 'join', placeholder: 'CODE', description: 'invitation that the board joins by, from `pipevine invite`' },
  { key: 'hostname', placeholder: 'NAME', description: 'name of the board in its network' },
  { key: 'wifi', placeholder: 'SSID', description: 'wireless network; you are asked for its password' },
  {
    key: 'wifi-password-file',
    placeholder: 'FILE',
    description: 'file whose first line is the password, - for standard input',
  },
  { key: 'wifi-open', description: 'the wireless network has no password' },
  { key: 'wifi-country', placeholder: 'CC', description: 'country whose channels are allowed, such as DE' },
  { key: 'ssh-key', placeholder: 'FILE', description: 'public keys that may log in' },
  { key: 'user', placeholder: 'NAME', description: 'who logs in by the keys' },
  { key: 'config', placeholder: 'FILE', description: 'configuration of the peer on the board' },
];

export interface GivenSetup {
  /** Only what was given; undefined when nothing was. */
  readonly setup: BoardSetup | undefined;
  /** What others will call the board: the name in the configuration, else the host name. */
  readonly peerName: string | undefined;
}

/** Reads the options and the files they name. Throws `invalid-argument`. */
export async function givenSetup(local: Arguments['local'], input: Input): Promise<GivenSetup> {
  const [joinCode, hostname, user, keyFile] = [local.join, local.hostname, local.user, local['ssh-key']].map(
    (values) => values?.[0],
  );
  const [configFile] = local.config ?? [];
  const configuration = configFile === undefined ? undefined : await readText('config', configFile);
  const name = configuration === undefined ? undefined : parseConfig(configuration, configFile ?? '').get('name');
  const wifi = await wifiOf(local, input);
  const setup: BoardSetup = {
    ...(joinCode !== undefined && { joinCode }),
    ...(hostname !== undefined && { hostname }),
    ...(wifi !== undefined && { wifi }),
    ...(user !== undefined && { user }),
    ...(keyFile !== undefined && { sshKeys: await readKeys(keyFile) }),
    ...(configuration !== undefined && { configuration }),
  };
  return {
    setup: Object.keys(setup).length === 0 ? undefined : setup,
    peerName: typeof name === 'string' ? name : hostname,
  };
}

async function wifiOf(local: Arguments['local'], input: Input): Promise<BoardSetup['wifi']> {
  const [ssid, country, file] = [local.wifi, local['wifi-country'], local['wifi-password-file']].map(
    (values) => values?.[0],
  );
  const isOpen = isOn(local, 'wifi-open');
  if (ssid === undefined) {
    if (country === undefined && file === undefined && !isOpen) return undefined;
    return usage('options of the wireless network need its name: --wifi SSID');
  }
  if (isOpen && file !== undefined) return usage('give one of --wifi-open and --wifi-password-file');
  if (!isOpen && file === undefined && !input.interactive) {
    return usage(
      '--wifi needs --wifi-password-file FILE (- for standard input) or --wifi-open: nobody can be asked here',
    );
  }
  const option = 'wifi-password-file';
  const password = isOpen ? undefined : await readPassword(input, local, `Password of the network ${ssid}`, { option });
  return { ssid, ...(password !== undefined && { password }), ...(country !== undefined && { country }) };
}

async function readKeys(file: string): Promise<readonly string[]> {
  const lines = (await readText('ssh-key', file)).split('\n').map((line) => line.trim());
  const keys = lines.filter((line) => line !== '' && !line.startsWith('#'));
  if (keys.some((line) => line.includes('PRIVATE KEY'))) {
    return usage(`--ssh-key: ${file} is a private key; give the public one, ${file}.pub`);
  }
  return keys.length > 0 ? keys : usage(`--ssh-key: there is no key in ${file}`);
}

async function readText(option: string, file: string): Promise<string> {
  const bytes = await readFile(file).catch((error) =>
    usage(`--${option}: ${file} cannot be read (${Object(error).code})`),
  );
  return bytes.length <= MAX_FILE_BYTES
    ? bytes.toString('utf8')
    : usage(`--${option}: ${file} has more than ${MAX_FILE_BYTES} bytes`);
}

function usage(message: string): never {
  throw new PipevineError('invalid-argument', message);
}
