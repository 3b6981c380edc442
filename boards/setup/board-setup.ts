import { BoardsError } from '../boards-error.ts';

/**
 * The setup file of a board: what it shall be, on the boot partition, which any computer can read and change. Text of UTF-8:
 * a head, `key: value` lines, then, after a line `--- pipevine.yaml`, a configuration file as it is. Images hold it padded to
 * `SETUP_BYTES` in one piece, so that it can be changed in the stream of an image without knowledge of its file system.
 */

/** The name of the file in the root of the boot partition. */
export const SETUP_FILE = 'pipevine-setup.txt';
/** Of the file in images: head, lines, padding, foot. One that a person has edited may be shorter. */
export const SETUP_BYTES = 64 * 1_024;

const HEAD = '# Pipevine board setup, version 1\n';
const FOOT = '\n# End of the setup\n';
const CONFIGURATION_LINE = '--- pipevine.yaml';

export interface WifiNetwork {
  /** 1 to 32 bytes of UTF-8. */
  readonly ssid: string;
  /** WPA passphrase of 8 to 63 characters, or 64 hexadecimal digits. Absent: an open network. */
  readonly password?: string;
  /** ISO 3166-1 alpha-2, in capitals: which channels are allowed. */
  readonly country?: string;
}

/** What is absent stays as the image has it. */
export interface BoardSetup {
  /** An invitation, to be used once. */
  readonly joinCode?: string;
  /** RFC 1123 label. The name of the peer, too, unless the configuration names it. */
  readonly hostname?: string;
  readonly wifi?: WifiNetwork;
  /** Who may log in by the SSH keys. */
  readonly user?: string;
  /** Lines of authorized_keys. */
  readonly sshKeys?: readonly string[];
  /** Text for /etc/pipevine/pipevine.yaml. */
  readonly configuration?: string;
}

interface Field {
  readonly key: string;
  readonly pattern: RegExp;
  readonly expected: string;
}

const FIELDS = {
  joinCode: { key: 'join', pattern: /^[\x21-\x7e]{1,2048}$/, expected: 'a code of `pipevine invite`' },
  hostname: {
    key: 'hostname',
    pattern: /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i,
    expected: 'letters, digits and hyphens, 63 at most',
  },
  ssid: { key: 'wifi-ssid', pattern: /^[^\p{Cc}]{1,32}$/u, expected: 'the name of a network, 32 bytes at most' },
  password: {
    key: 'wifi-password',
    pattern: /^([\x20-\x7e]{8,63}|[0-9a-f]{64})$/i,
    expected: '8 to 63 characters, or 64 hexadecimal digits',
  },
  country: { key: 'wifi-country', pattern: /^[A-Z]{2}$/, expected: 'two capitals, such as DE' },
  user: {
    key: 'user',
    pattern: /^[a-z_][a-z0-9_-]{0,31}$/,
    expected: 'the name of a user: small letters, digits, _ and -',
  },
  sshKey: {
    key: 'ssh-key',
    pattern: /^(ssh-|ecdsa-|sk-)[\x21-\x7e]+ [A-Za-z0-9+/=]{16,2048}( [^\p{Cc}]{0,256})?$/u,
    expected: 'a public key as in authorized_keys',
  },
} as const satisfies Record<string, Field>;

/** Exactly `SETUP_BYTES`. Throws `usage` for values that a board could not use, and for more than fits. */
export function encodeBoardSetup(setup: BoardSetup): Uint8Array {
  const lines: string[] = [];
  const add = ({ key, pattern, expected }: Field, value: string | undefined) => {
    if (value === undefined) return;
    check({ key, pattern, expected }, value);
    lines.push(`${key}: ${value}`);
  };
  add(FIELDS.joinCode, setup.joinCode);
  add(FIELDS.hostname, setup.hostname);
  add(FIELDS.ssid, setup.wifi?.ssid);
  add(FIELDS.password, setup.wifi?.password);
  add(FIELDS.country, setup.wifi?.country);
  add(FIELDS.user, setup.user);
  for (const key of setup.sshKeys ?? []) add(FIELDS.sshKey, key);
  if (setup.configuration !== undefined) lines.push(CONFIGURATION_LINE, setup.configuration.trimEnd());
  const head = new TextEncoder().encode(HEAD + lines.map((line) => `${line}\n`).join(''));
  const foot = new TextEncoder().encode(FOOT);
  if (head.length + foot.length > SETUP_BYTES) {
    throw new BoardsError(
      'usage',
      `the setup takes ${head.length} bytes; ${SETUP_BYTES - foot.length} fit: shorten the configuration`,
    );
  }
  const file = new Uint8Array(SETUP_BYTES).fill(0x0a);
  file.set(head);
  file.set(foot, SETUP_BYTES - foot.length);
  return file;
}

/** Takes what a person has edited, too: other line ends, a BOM, missing padding. Throws `usage`, with the line. */
export function decodeBoardSetup(file: Uint8Array): BoardSetup {
  if (file.length > SETUP_BYTES)
    throw new BoardsError('usage', `a setup has ${SETUP_BYTES} bytes at most, not ${file.length}`);
  const lines = decodeText(file).replaceAll('\r\n', '\n').split('\n');
  const start = lines.indexOf(CONFIGURATION_LINE);
  const values = new Map<string, string[]>();
  lines.slice(0, start === -1 ? undefined : start).forEach((line, index) => {
    const text = line.trim();
    if (text === '' || text.startsWith('#')) return;
    const [, key = '', value = ''] = /^([a-z-]+):\s*(.*)$/.exec(text) ?? [];
    const field = Object.values<Field>(FIELDS).find((each) => each.key === key);
    if (field === undefined) {
      const known = Object.values(FIELDS).map((each) => each.key);
      throw new BoardsError(
        'usage',
        `line ${index + 1}: expected one of ${known.join(', ')}, followed by a colon; got ${JSON.stringify(text.slice(0, 40))}`,
      );
    }
    if (value === '') return;
    check(field, value, `line ${index + 1}: `);
    const before = values.get(key) ?? [];
    if (before.length > 0 && field !== FIELDS.sshKey)
      throw new BoardsError('usage', `line ${index + 1}: ${key} is there twice`);
    values.set(key, [...before, value]);
  });
  const one = ({ key }: Field) => values.get(key)?.[0];
  const [joinCode, hostname, ssid, user] = [
    one(FIELDS.joinCode),
    one(FIELDS.hostname),
    one(FIELDS.ssid),
    one(FIELDS.user),
  ];
  const [password, country] = [one(FIELDS.password), one(FIELDS.country)];
  const sshKeys = values.get(FIELDS.sshKey.key);
  const configuration =
    start === -1
      ? undefined
      : lines
          .slice(start + 1)
          .join('\n')
          .replace(FOOT, '\n')
          .trimEnd();
  return {
    ...(joinCode !== undefined && { joinCode }),
    ...(hostname !== undefined && { hostname }),
    ...(ssid !== undefined && {
      wifi: { ssid, ...(password !== undefined && { password }), ...(country !== undefined && { country }) },
    }),
    ...(user !== undefined && { user }),
    ...(sshKeys !== undefined && { sshKeys }),
    ...(configuration !== undefined && { configuration: `${configuration}\n` }),
  };
}

/** Whether a setup as images hold it stands at an offset of a file that has at least `SETUP_BYTES` from there. */
export function isBoardSetupAt(bytes: Uint8Array, offset: number): boolean {
  return holds(bytes, offset, HEAD) && holds(bytes, offset + SETUP_BYTES - FOOT.length, FOOT);
}

/** Whether a setup may begin at an offset: the head stands there. */
export function beginsBoardSetup(bytes: Uint8Array, offset: number): boolean {
  return holds(bytes, offset, HEAD);
}

function holds(bytes: Uint8Array, offset: number, text: string): boolean {
  if (offset + text.length > bytes.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[offset + i] !== text.charCodeAt(i)) return false;
  return true;
}

function check({ key, pattern, expected }: Field, value: string, where = ''): void {
  const fits = pattern.test(value) && (key !== FIELDS.ssid.key || new TextEncoder().encode(value).length <= 32);
  if (!fits) throw new BoardsError('usage', `${where}${key} expects ${expected}`);
}

function decodeText(file: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(file);
  } catch (error) {
    throw new BoardsError('usage', 'the setup is not text in UTF-8', { cause: error });
  }
}
