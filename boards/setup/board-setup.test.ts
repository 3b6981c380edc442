import { describe, expect, test } from 'vitest';
import { BoardsError } from '../boards-error.ts';
import {
  type BoardSetup,
  beginsBoardSetup,
  decodeBoardSetup,
  encodeBoardSetup,
  isBoardSetupAt,
  SETUP_BYTES,
} from './board-setup.ts';

const FULL: BoardSetup = {
  joinCode: 'PV1-ABCDEFG',
  hostname: 'kitchen',
  wifi: { ssid: 'Café & Co', password: 'correct horse: battery', country: 'DE' },
  user: 'pi',
  sshKeys: ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBcc ann@desk', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBcd'],
  configuration: 'name: kitchen\nboard:\n  thing: true\n',
};
const text = (lines: string) => new TextEncoder().encode(lines);

describe('the setup of a board', () => {
  test.each([FULL, {}, { configuration: 'name: a\n' }, { wifi: { ssid: 'open' } }])(
    'is read as it was written: %#',
    (setup) => {
      const file = encodeBoardSetup(setup);
      expect(file.length).toBe(SETUP_BYTES);
      expect(decodeBoardSetup(file)).toEqual(setup);
    },
  );

  test('may be edited with any editor', () => {
    const edited =
      '\ufeff# mine\r\njoin: X\r\n\r\n  hostname:   lamp  \r\nwifi-ssid:\r\n--- pipevine.yaml\r\nname: b\r\n\r\n# End of the setup\r\n';
    expect(decodeBoardSetup(text(edited))).toEqual({ joinCode: 'X', hostname: 'lamp', configuration: 'name: b\n' });
  });

  test.each([
    ['jion: X', 'line 1: expected one of join, hostname'],
    ['join: X\njoin: Y', 'line 2: join is there twice'],
    ['hostname: -a', 'line 1: hostname expects letters'],
    ['wifi-ssid: ééééééééééééééééé', 'line 1: wifi-ssid expects'],
    ['wifi-password: short', 'line 1: wifi-password expects 8 to 63'],
    ['ssh-key: hello', 'line 1: ssh-key expects a public key'],
  ])('says what is wrong with %j', (lines, message) => {
    expect(() => decodeBoardSetup(text(lines))).toThrow(BoardsError);
    expect(() => decodeBoardSetup(text(lines))).toThrow(message);
  });

  test('cannot carry one value into another line', () => {
    expect(() => encodeBoardSetup({ hostname: 'a\njoin: X' })).toThrow('hostname expects');
    expect(() => encodeBoardSetup({ joinCode: 'a\nb' })).toThrow('join expects');
  });

  test('has room for a configuration, with an end', () => {
    expect(() => encodeBoardSetup({ configuration: 'x'.repeat(SETUP_BYTES) })).toThrow('shorten the configuration');
    expect(() => decodeBoardSetup(new Uint8Array(SETUP_BYTES + 1))).toThrow('65536 bytes at most');
    expect(() => decodeBoardSetup(Uint8Array.of(0xff, 0xfe))).toThrow('UTF-8');
  });

  test('is found where it stands in an image, and only whole', () => {
    const image = new Uint8Array(SETUP_BYTES * 3);
    image.set(encodeBoardSetup(FULL), 512);
    expect([beginsBoardSetup(image, 0), beginsBoardSetup(image, 512)]).toEqual([false, true]);
    expect([isBoardSetupAt(image, 0), isBoardSetupAt(image, 512)]).toEqual([false, true]);
    image[512 + SETUP_BYTES - 2] = 0;
    expect(isBoardSetupAt(image, 512)).toBe(false);
    expect(beginsBoardSetup(image.subarray(0, 520), 512)).toBe(false);
  });
});
