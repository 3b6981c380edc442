import type { BoardSetup } from '../../setup/board-setup.ts';

/** Which reader: rpi-preseed, or the first boot of Raspberry Pi OS Bookworm, whose custom.toml it takes after. */
export type PreseedFormat = 'rpi-preseed' | 'custom-toml';

const VERSIONS = { 'rpi-preseed': '"1.0"', 'custom-toml': '1' } as const;

/** The settings of a host for the first boot of Raspberry Pi OS, in TOML. Undefined: there are none. */
export function preseedToml(
  { hostname, user, sshKeys = [], wifi }: BoardSetup,
  format: PreseedFormat,
): string | undefined {
  const sections: Record<string, Record<string, string | undefined>> = {
    system: { hostname: text(hostname) },
    user: {
      name: text(user),
      // Without a password of its own, the user could not use sudo. Bookworm allows it to its first user anyway.
      passwordless_sudo: user !== undefined && format === 'rpi-preseed' ? 'true' : undefined,
    },
    ssh:
      sshKeys.length === 0
        ? {}
        : { enabled: 'true', password_authentication: 'false', authorized_keys: `[${sshKeys.map(text).join(', ')}]` },
    wlan: {
      ssid: text(wifi?.ssid),
      password: text(wifi?.password),
      ...(wifi?.password !== undefined && { password_encrypted: isKey(wifi.password) ? 'true' : 'false' }),
      country: text(wifi?.country),
    },
  };
  const parts = Object.entries(sections).flatMap(([name, values]) => {
    const lines = Object.entries(values).flatMap(([key, value]) =>
      value === undefined ? [] : [`${key} = ${value}\n`],
    );
    return lines.length === 0 ? [] : [`\n[${name}]\n${lines.join('')}`];
  });
  return parts.length === 0 ? undefined : `config_version = ${VERSIONS[format]}\n${parts.join('')}`;
}

/** 64 hexadecimal digits are the key that others derive from a passphrase. */
const isKey = (password: string) => /^[0-9a-f]{64}$/i.test(password);

/** A basic string of TOML 1.0 escapes as JSON does. */
const text = (value: string | undefined) => (value === undefined ? undefined : JSON.stringify(value));
