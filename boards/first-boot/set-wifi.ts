import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BoardsError } from '../boards-error.ts';
import type { WifiNetwork } from '../setup/board-setup.ts';
import type { FirstBootHost } from './first-boot-host.ts';
import { replaceSystemFile } from './replace-file.ts';
import { syncFolder } from './sync-folder.ts';
import { systemctl } from './systemctl.ts';
import { networkManagerKeyfile, WLAN_NETWORK, wpaSupplicantConfiguration } from './wifi-files.ts';

const KEYFILE = '/etc/NetworkManager/system-connections/pipevine.nmconnection';
const SUPPLICANT_FILE = '/etc/wpa_supplicant/wpa_supplicant-wlan0.conf';
const NETWORK_FILE = '/etc/systemd/network/80-pipevine-wlan0.network';
const SUPPLICANT = 'wpa_supplicant@wlan0.service';
const SUPPLICANT_UNIT = '/lib/systemd/system/wpa_supplicant@.service';
/** Starts it when the radio appears. Wanted by a target instead, a board without one would wait for it at each start. */
const SUPPLICANT_LINK = `/etc/systemd/system/sys-subsystem-net-devices-wlan0.device.wants/${SUPPLICANT}`;
const REGULATORY_FILE = '/etc/modprobe.d/pipevine-wifi-country.conf';
const MANAGER_STATE = '/var/lib/NetworkManager/NetworkManager.state';

/** For NetworkManager where it is installed, else for wpa_supplicant and systemd-networkd. Runs before any of them. */
export async function setWifi(host: FirstBootHost, wifi: WifiNetwork): Promise<void> {
  const at = (path: string) => join(host.root, path);
  if (wifi.country !== undefined) await setCountry(host, wifi.country);
  unblock(host.root);
  if (existsSync(at('/usr/sbin/NetworkManager'))) {
    replaceSystemFile(at(KEYFILE), networkManagerKeyfile(wifi), 0o600);
    return;
  }
  if (!existsSync(at('/usr/sbin/wpa_supplicant')) && !existsSync(at('/sbin/wpa_supplicant'))) {
    throw new BoardsError(
      'environment',
      'this system has no program for Wi-Fi; install network-manager, or wpasupplicant',
    );
  }
  replaceSystemFile(at(SUPPLICANT_FILE), wpaSupplicantConfiguration(wifi), 0o600);
  replaceSystemFile(at(NETWORK_FILE), WLAN_NETWORK);
  link(at(SUPPLICANT_LINK), SUPPLICANT_UNIT);
  // Has systemd see the link, too.
  await systemctl(host, 'enable', '--now', 'systemd-networkd.service');
  if (existsSync(at('/sys/class/net/wlan0'))) await systemctl(host, 'start', SUPPLICANT);
}

/** At the next load of the module, and now where there is iw(8). */
async function setCountry(host: FirstBootHost, country: string): Promise<void> {
  replaceSystemFile(join(host.root, REGULATORY_FILE), `options cfg80211 ieee80211_regdom=${country}\n`);
  if (existsSync(join(host.root, '/usr/sbin/iw'))) await host.run('iw', ['reg', 'set', country]);
}

/** Raspberry Pi OS keeps its radio off until somebody has chosen a country. */
function unblock(root: string): void {
  const remembered = join(root, '/var/lib/systemd/rfkill');
  for (const name of namesIn(remembered)) if (name.endsWith(':wlan')) writeFileSync(join(remembered, name), '0');
  const switches = join(root, '/sys/class/rfkill');
  for (const name of namesIn(switches)) {
    if (textOf(join(switches, name, 'type')).trim() === 'wlan') writeFileSync(join(switches, name, 'soft'), '0');
  }
  const state = join(root, MANAGER_STATE);
  const text = textOf(state);
  const on = text.replace('WirelessEnabled=false', 'WirelessEnabled=true');
  if (on !== text) replaceSystemFile(state, on);
}

function link(path: string, target: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  rmSync(path, { force: true });
  symlinkSync(target, path);
  syncFolder(dirname(path));
}

function namesIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

function textOf(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}
