import type { LogLevel } from '../config/settings.ts';
import { printable, printableJson } from '../output/printable.ts';

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];
const COLOURS: Readonly<Record<LogLevel, string>> = { debug: '2', info: '36', warn: '33', error: '31' };

export interface LogInit {
  readonly level: LogLevel;
  readonly json: boolean;
  readonly colour: boolean;
  readonly write: (line: string) => void;
  readonly now: () => Date;
}

/** What the daemon says while it runs: one line each, the time first, plain or as JSON. */
export class Log {
  readonly #init: LogInit;

  constructor(init: LogInit) {
    this.#init = init;
  }

  debug(message: string): void {
    this.#write('debug', message);
  }

  info(message: string): void {
    this.#write('info', message);
  }

  warn(message: string): void {
    this.#write('warn', message);
  }

  error(message: string): void {
    this.#write('error', message);
  }

  #write(level: LogLevel, message: string): void {
    const { json, colour, write, now } = this.#init;
    if (LEVELS.indexOf(level) < LEVELS.indexOf(this.#init.level)) return;
    const time = now().toISOString();
    if (json) {
      write(`${printableJson({ time, level, message })}\n`);
      return;
    }
    const word = level.padEnd(5);
    write(
      `${time} ${colour ? `\u001b[${COLOURS[level]}m${word}\u001b[0m` : word} ${printable(message.replace(/\s*\n\s*/g, ' '))}\n`,
    );
  }
}
