import { readlinkSync, statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { setWifi } from './set-wifi.ts';
import { MadeUpBoard } from './testing/made-up-board.ts';
import { networkManagerKeyfile, wpaSupplicantConfiguration } from './wifi-files.ts';

let board: MadeUpBoard;
beforeEach(() => {
  board = new MadeUpBoard();
});
afterEach(() => board.remove());

const WIFI = { ssid: 'Home', password: 'correct horse', country: 'DE' };

it('is set for NetworkManager where that is installed, unreadable to others', async () => {
  board.write('/usr/sbin/NetworkManager', '');
  await setWifi(board.host, WIFI);
  const file = board.at('/etc/NetworkManager/system-connections/pipevine.nmconnection');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect([board.commands, board.has('/etc/wpa_supplicant')]).toEqual([[], false]);
});

it('is set for systemd-networkd and wpa_supplicant elsewhere, which starts when the radio is there', async () => {
  board.write('/usr/sbin/wpa_supplicant', '');
  await setWifi(board.host, WIFI);
  expect(statSync(board.at('/etc/wpa_supplicant/wpa_supplicant-wlan0.conf')).mode & 0o777).toBe(0o600);
  expect(board.read('/etc/systemd/network/80-pipevine-wlan0.network')).toContain('Name=wlan0\n');
  const wants = '/etc/systemd/system/sys-subsystem-net-devices-wlan0.device.wants/wpa_supplicant@wlan0.service';
  expect(readlinkSync(board.at(wants))).toBe('/lib/systemd/system/wpa_supplicant@.service');
  const network = 'systemctl --no-block enable --now systemd-networkd.service';
  expect(board.commands.splice(0)).toEqual([network]);
  board.write('/sys/class/net/wlan0/address', '');
  await setWifi(board.host, WIFI);
  expect(board.commands).toEqual([network, 'systemctl --no-block start wpa_supplicant@wlan0.service']);
  board.answer = () => ({ code: 1, output: 'no such unit\n' });
  await expect(setWifi(board.host, WIFI)).rejects.toThrow('failed (1): no such unit');
});

it('says so where nothing knows Wi-Fi', async () => {
  await expect(setWifi(board.host, WIFI)).rejects.toThrow('no program for Wi-Fi');
});

it('turns on a radio that waits for its country', async () => {
  board.write('/usr/sbin/NetworkManager', '');
  board.write('/usr/sbin/iw', '');
  board.write('/var/lib/NetworkManager/NetworkManager.state', '[main]\nWirelessEnabled=false\nWWANEnabled=false\n');
  board.write('/var/lib/systemd/rfkill/platform-fe300000.mmcnr:wlan', '1');
  board.write('/var/lib/systemd/rfkill/platform-serial:bluetooth', '1');
  board.write('/sys/class/rfkill/rfkill0/type', 'wlan\n');
  board.write('/sys/class/rfkill/rfkill0/soft', '1');
  board.write('/sys/class/rfkill/rfkill1/type', 'bluetooth\n');
  board.write('/sys/class/rfkill/rfkill1/soft', '1');
  await setWifi(board.host, WIFI);
  expect(board.read('/var/lib/NetworkManager/NetworkManager.state')).toBe(
    '[main]\nWirelessEnabled=true\nWWANEnabled=false\n',
  );
  expect(
    ['/var/lib/systemd/rfkill/platform-fe300000.mmcnr:wlan', '/var/lib/systemd/rfkill/platform-serial:bluetooth'].map(
      (path) => board.read(path),
    ),
  ).toEqual(['0', '1']);
  expect([board.read('/sys/class/rfkill/rfkill0/soft'), board.read('/sys/class/rfkill/rfkill1/soft')]).toEqual([
    '0',
    '1',
  ]);
  expect(board.read('/etc/modprobe.d/pipevine-wifi-country.conf')).toBe('options cfg80211 ieee80211_regdom=DE\n');
  expect(board.commands).toEqual(['iw reg set DE']);
});

describe('the files of Wi-Fi', () => {
  it('let no name and no password mean anything else', () => {
    const hostile = { ssid: 'a"]\\#;é', password: ' a\\b"#;\'[x] ' };
    expect(networkManagerKeyfile(hostile).split('\n')).toEqual(
      expect.arrayContaining(['ssid=97;34;93;92;35;59;195;169;', 'psk=\\sa\\\\b"#;\'[x]\\s']),
    );
    expect(wpaSupplicantConfiguration(hostile)).toMatch(/^\tssid=61225d5c233bc3a9\n\tpsk=[0-9a-f]{64}$/m);
  });

  it('hold the key of IEEE 802.11-2020, J.4.2', () => {
    expect(wpaSupplicantConfiguration({ ssid: 'IEEE', password: 'password' })).toContain(
      'psk=f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e\n',
    );
    const key = 'AB'.repeat(32);
    expect(wpaSupplicantConfiguration({ ssid: 'IEEE', password: key })).toContain(`psk=${key.toLowerCase()}\n`);
  });

  it('hold no key for an open network', () => {
    expect(networkManagerKeyfile({ ssid: 'open' })).not.toMatch(/psk|security/);
    expect(wpaSupplicantConfiguration({ ssid: 'open' })).toContain('\tkey_mgmt=NONE\n');
  });
});
