import { BoardsError } from '../../boards-error.ts';
import type { BoardSetup, WifiNetwork } from '../../setup/board-setup.ts';
import { LOGIN_GROUPS } from '../../setup/login-groups.ts';

/** The files of cloud-init's NoCloud source on the boot partition of an image; undefined: not there. */
export interface CloudInitFiles {
  readonly userData: string | undefined;
  readonly networkConfig: string | undefined;
  readonly metaData: string | undefined;
}

const HEADER = /^\ufeff?#cloud-config[ \t]*\r?\n/;
const ADDED = '# From `pipevine image`:';

/** NoCloud takes the other files only where this one is. */
export const META_DATA = 'dsmode: local\ninstance-id: pipevine-image\n';

/** Whose cloud-init reads it: that of Raspberry Pi OS has words of its own. */
export type CloudInitDialect = 'cloudinit-rpi' | 'cloudinit';

/**
 * A user-data document (cloud-init's cloud-config) with hostname, user and keys added to what the image has. Undefined: there is
 * nothing to add. Throws `refused` where it sets one of them already, or is no document that can be added to.
 */
export function userDataWith(
  existing: string,
  { hostname, user, sshKeys = [] }: BoardSetup,
  dialect: CloudInitDialect,
): string | undefined {
  const added: Record<string, string> = {
    ...(hostname !== undefined && { hostname: quoted(hostname), manage_etc_hosts: 'true' }),
    ...(sshKeys.length > 0 && loginOf(user, sshKeys)),
    // There SSH is off unless this is said; others take no word that they do not know.
    ...(sshKeys.length > 0 && dialect === 'cloudinit-rpi' && { enable_ssh: 'true' }),
  };
  if (Object.keys(added).length === 0) return undefined;
  const keys = topLevelKeys(existing);
  const twice = Object.keys(added).filter((key) => keys.has(key));
  if (twice.length > 0) {
    throw new BoardsError(
      'refused',
      `user-data of the base image sets ${twice.join(', ')} already, and two may not; take it out there, or leave out the option`,
    );
  }
  const lines = Object.entries(added).map(([key, value]) => `${key}: ${value}\n`);
  return `${existing.trimEnd()}\n\n${ADDED}\n${lines.join('')}`;
}

function loginOf(user: string | undefined, sshKeys: readonly string[]): Record<string, string> {
  const keys = (indent: string) => sshKeys.map((key) => `\n${indent}- ${quoted(key)}`).join('');
  if (user === undefined) return { ssh_authorized_keys: keys('') };
  const fields = [
    `name: ${quoted(user)}`,
    `groups: ${LOGIN_GROUPS.join(',')}`,
    'shell: /bin/bash',
    'lock_passwd: true',
    'sudo: ALL=(ALL) NOPASSWD:ALL',
    `ssh_authorized_keys:${keys('    ')}`,
  ];
  return { users: `\n- ${fields.join('\n  ')}` };
}

/** The keys of a document that is a plain mapping in block style (YAML 1.2, section 8.2.2), so that more can follow. */
function topLevelKeys(document: string): ReadonlySet<string> {
  if (!HEADER.test(document)) {
    throw new BoardsError(
      'refused',
      'user-data of the base image is no cloud-config, so that nothing can be added; leave out --hostname and --ssh-key',
    );
  }
  const keys = new Set<string>();
  for (const line of document.split(/\r?\n/)) {
    if (/^\ufeff?(#|$)|^[ ]|^- /.test(line) || line.trim() === '') continue;
    const key = /^(?:"([^"\\]+)"|'([^']+)'|([A-Za-z_][\w.-]*))[ ]*:(?:[ ]|$)/.exec(line);
    if (key === null) {
      throw new BoardsError(
        'refused',
        `user-data of the base image has the line ${JSON.stringify(line.slice(0, 60))}, so that nothing can be added safely; leave out --hostname and --ssh-key`,
      );
    }
    keys.add(key[1] ?? key[2] ?? key[3] ?? '');
  }
  return keys;
}

/** What stock images say of networks: nothing, or that the cable gives an address. */
const STOCK_NETWORKS = new Set(['', 'version: 2 ethernets: eth0: dhcp4: true optional: true']);

/**
 * A network-config document (netplan's format, version 2) with the cable and a wireless network. Throws `refused` where the image
 * has one of its own.
 */
export function networkConfigWith(existing: string | undefined, { ssid, password, country }: WifiNetwork): string {
  const present = (existing ?? '')
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .filter((line) => !/^\s*(#|$)/.test(line))
    .map((line) => line.trim())
    .join(' ')
    .replace(/^network: /, '');
  if (!STOCK_NETWORKS.has(present)) {
    throw new BoardsError(
      'refused',
      'network-config of the base image has networks of its own; add the wireless one there, and leave out --wifi',
    );
  }
  return `${ADDED}
network:
  version: 2
  ethernets:
    eth0:
      dhcp4: true
      optional: true
  wifis:
    wlan0:
      dhcp4: true
      optional: true
${country === undefined ? '' : `      regulatory-domain: ${quoted(country)}\n`}      access-points:
        ${quoted(ssid)}:${password === undefined ? ' {}' : `\n          password: ${quoted(password)}`}
`;
}

/** A string of JSON is one of YAML, too (YAML 1.2, section 1.3). */
const quoted = (text: string) => JSON.stringify(text);
