import { pbkdf2Sync } from 'node:crypto';
import type { WifiNetwork } from '../setup/board-setup.ts';

const PSK_BYTES = 32;
const PSK_ITERATIONS = 4_096;
const RAW_PSK = /^[0-9a-f]{64}$/i;

/**
 * A connection of NetworkManager, nm-settings-keyfile(5). The name of the network stands there as bytes, so that none of its
 * characters means anything; the passphrase as it is, as WPA3 needs it.
 */
export function networkManagerKeyfile({ ssid, password }: WifiNetwork): string {
  const bytes = [...new TextEncoder().encode(ssid)].map((byte) => `${byte};`).join('');
  const security = password === undefined ? '' : `\n[wifi-security]\nkey-mgmt=wpa-psk\npsk=${keyfileValue(password)}\n`;
  return `[connection]
id=pipevine
type=wifi

[wifi]
mode=infrastructure
ssid=${bytes}
${security}
[ipv4]
method=auto

[ipv6]
method=auto
`;
}

/** wpa_supplicant.conf(5). Name and key stand there as hexadecimal digits: nothing has to be quoted. */
export function wpaSupplicantConfiguration({ ssid, password, country }: WifiNetwork): string {
  return `ctrl_interface=DIR=/run/wpa_supplicant GROUP=netdev
${country === undefined ? '' : `country=${country}\n`}
network={
	ssid=${Buffer.from(ssid).toString('hex')}
	${password === undefined ? 'key_mgmt=NONE' : `psk=${preSharedKey(ssid, password)}`}
}
`;
}

/** systemd.network(5): the address. */
export const WLAN_NETWORK = `[Match]
Name=wlan0

[Network]
DHCP=yes

[DHCPv4]
RouteMetric=600
`;

/** IEEE 802.11-2020, J.4: the key of a passphrase. */
function preSharedKey(ssid: string, password: string): string {
  if (RAW_PSK.test(password)) return password.toLowerCase();
  return pbkdf2Sync(password, Buffer.from(ssid), PSK_ITERATIONS, PSK_BYTES, 'sha1').toString('hex');
}

/** The escapes of the Desktop Entry Specification, for GKeyFile. */
const keyfileValue = (text: string) => text.replaceAll('\\', '\\\\').replaceAll(' ', '\\s');
