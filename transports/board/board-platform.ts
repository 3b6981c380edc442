import type { Clock } from '@pipevine/runtime';
import type { PowerAction } from './board-config.ts';

/** Room on the file system of a path. */
export interface DiskSpace {
  readonly totalBytes: number;
  /** What programs without special rights may still use. */
  readonly freeBytes: number;
}

/**
 * The files through which the kernel shows a board: /sys, /proc, /dev. Paths are absolute; an implementation may put them
 * under another root. Hardware that is absent is no error: there is nothing to read then.
 */
export interface BoardFiles {
  /** The first 64 KiB as text; undefined when there is no such file, or no device behind it. Rejects with `permission-denied`, `unreachable`. */
  read(path: string): Promise<string | undefined>;
  /** Writes to a file that is there. Rejects with `not-found`, `permission-denied`, `unreachable`. */
  write(path: string, text: string): Promise<void>;
  /** Names in a folder, sorted, at most 1,024; empty when it is not there or cannot be read. */
  list(path: string): Promise<readonly string[]>;
  space(path: string): Promise<DiskSpace | undefined>;
  /** Calls back when entries of a folder come or go; never when it is not there. Does not keep the process alive. */
  watch(path: string, onChange: () => void): { close(): void };
}

export interface RunOptions {
  readonly timeoutMs: number;
  /** Of the output. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal;
}

export interface StartOptions {
  /** A line of the output, without its end; longer than 1,024 characters it comes in parts. */
  readonly onLine: (line: string) => void;
  /** Once, when it has ended, or could not be started. `reason` says how, for people. */
  readonly onExit: (reason: string) => void;
}

export interface RunningCommand {
  /** To its standard input, which ends when this process does. */
  write(text: string): void;
  /** Asks it to end, and insists after 2 s; resolves when it has ended. Idempotent. */
  stop(): Promise<void>;
}

/** The system's tools, without a shell in between. */
export interface BoardCommands {
  /** Standard output of a command that ends by itself. Rejects with `unsupported` (no such command), `unreachable` (it failed), `too-large`, `timeout`, `aborted`. */
  run(command: readonly string[], options: RunOptions): Promise<Uint8Array>;
  start(command: readonly string[], options: StartOptions): RunningCommand;
}

/** How a serial port is set; 8N1 is usual. */
export interface SerialSettings {
  /** Path of the device, under /dev. */
  readonly device: string;
  readonly baud: number;
  readonly dataBits: 7 | 8;
  readonly parity: 'none' | 'even' | 'odd';
  readonly stopBits: 1 | 2;
}

/** An open serial port. Ends by itself when the device goes away. */
export interface SerialPort extends AsyncIterable<Uint8Array> {
  /** Resolves when the system has taken all of it. */
  write(bytes: Uint8Array): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}

export interface SerialPorts {
  /** Rejects with `not-found`, `permission-denied`, `invalid-argument` (no serial port), `unreachable`. */
  open(settings: SerialSettings): Promise<SerialPort>;
}

/** Whoever shuts the board down, or starts it anew. */
export interface BoardPower {
  /** Resolves when it is under way. Rejects with `unsupported`, `permission-denied`, `unreachable`, `timeout`. */
  ask(action: PowerAction): Promise<void>;
}

/** All that a board is seen and moved through. */
export interface BoardPlatform {
  readonly files: BoardFiles;
  readonly commands: BoardCommands;
  readonly serialPorts: SerialPorts;
  readonly power: BoardPower;
  readonly clock: Clock;
}
