import { close, constants, open } from 'node:fs';
import { isatty, ReadStream } from 'node:tty';
import { promisify } from 'node:util';
import { PipevineError } from '@pipevine/runtime';
import type { BoardCommands, SerialPort, SerialPorts, SerialSettings } from './board-platform.ts';

const STTY_TIMEOUT_MS = 5_000;

/** The serial ports of this machine, set by `stty`. */
export function nodeSerialPorts(commands: BoardCommands): SerialPorts {
  return {
    async open(settings) {
      const fd = await openDevice(settings.device);
      try {
        if (!isatty(fd)) {
          throw new PipevineError('invalid-argument', `${settings.device} is no serial port; look for one in /dev`);
        }
        await commands.run(sttyCommand(settings), { timeoutMs: STTY_TIMEOUT_MS, maxBytes: 4_096 });
      } catch (error) {
        await promisify(close)(fd);
        throw error;
      }
      return new NodeSerialPort(new ReadStream(fd), settings.device);
    },
  };
}

/** Raw bytes both ways; modem lines and flow control are left alone, as cheap adapters have none. */
export function sttyCommand({ device, baud, dataBits, parity, stopBits }: SerialSettings): readonly string[] {
  return [
    'stty',
    '-F',
    device,
    String(baud),
    'raw',
    '-echo',
    'clocal',
    'cread',
    '-crtscts',
    `cs${dataBits}`,
    ...(parity === 'none' ? ['-parenb'] : ['parenb', parity === 'odd' ? 'parodd' : '-parodd']),
    stopBits === 2 ? 'cstopb' : '-cstopb',
  ];
}

/** Does not wait for a carrier, and does not take the port as the terminal of this process. */
async function openDevice(device: string): Promise<number> {
  try {
    return await promisify(open)(device, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    if (code === 'EACCES' || code === 'EPERM') {
      throw new PipevineError(
        'permission-denied',
        `${device} cannot be opened; the user of pipevine must be in the group dialout`,
        { cause },
      );
    }
    const absent = code === 'ENOENT' || code === 'ENODEV' || code === 'ENXIO';
    throw new PipevineError(
      absent ? 'not-found' : 'unreachable',
      `${device} cannot be opened (${code}); is it plugged in?`,
      { cause },
    );
  }
}

class NodeSerialPort implements SerialPort {
  readonly #stream: ReadStream;
  readonly #device: string;

  constructor(stream: ReadStream, device: string) {
    this.#stream = stream;
    this.#device = device;
    stream.on('error', () => undefined); // told by the iteration, or by the write
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stream.write(bytes, (error) => {
        if (error == null) resolve();
        else reject(new PipevineError('unreachable', `${this.#device}: ${error.message}`, { cause: error }));
      });
    });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of this.#stream) yield new Uint8Array(chunk);
    } catch {
      // An unplugged adapter gives EIO: the end.
    }
  }

  async close(): Promise<void> {
    if (this.#stream.destroyed) return;
    const ended = new Promise<void>((resolve) => this.#stream.once('close', () => resolve()));
    this.#stream.destroy();
    await ended;
  }
}
