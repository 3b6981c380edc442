import { describe, expect, it } from 'vitest';
import type { BoardCommands, SerialSettings } from './board-platform.ts';
import { nodeSerialPorts, sttyCommand } from './node-serial-ports.ts';

const settings: SerialSettings = { device: '/dev/ttyUSB0', baud: 9_600, dataBits: 8, parity: 'none', stopBits: 1 };
const unused: BoardCommands = {
  run: () => Promise.reject(new Error('not to be called')),
  start: () => {
    throw new Error('not to be called');
  },
};

describe('a serial port', () => {
  it.each([
    [{}, '9600 raw -echo clocal cread -crtscts cs8 -parenb -cstopb'],
    [
      { baud: 115_200, dataBits: 7, parity: 'even', stopBits: 2 },
      '115200 raw -echo clocal cread -crtscts cs7 parenb -parodd cstopb',
    ],
    [{ parity: 'odd' }, '9600 raw -echo clocal cread -crtscts cs8 parenb parodd -cstopb'],
  ] as const)('is set by stty: %j', (more, expected) => {
    expect(sttyCommand({ ...settings, ...more }).join(' ')).toBe(`stty -F /dev/ttyUSB0 ${expected}`);
  });

  it.each([
    ['/dev/pipevine-no-such-port', 'not-found', 'is it plugged in?'],
    ['/dev/null', 'invalid-argument', 'is no serial port'],
  ])('that is none says so: %s', async (device, code, message) => {
    const opening = nodeSerialPorts(unused).open({ ...settings, device });
    await expect(opening).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });
});
