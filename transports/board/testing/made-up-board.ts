import type { Clock } from '@pipevine/runtime';
import { PipevineError } from '@pipevine/runtime';
import type { PowerAction } from '../board-config.ts';
import type {
  BoardCommands,
  BoardFiles,
  BoardPlatform,
  BoardPower,
  RunningCommand,
  SerialPort,
  SerialPorts,
  SerialSettings,
  StartOptions,
} from '../board-platform.ts';

/** A command that was started, for a test to speak as it. */
export class MadeUpProcess implements RunningCommand {
  readonly command: readonly string[];
  readonly written: string[] = [];
  readonly #options: StartOptions;
  #ended = false;

  constructor(command: readonly string[], options: StartOptions) {
    this.command = command;
    this.#options = options;
  }

  get running(): boolean {
    return !this.#ended;
  }

  says(line: string): void {
    this.#options.onLine(line);
  }

  ends(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#options.onExit(reason);
  }

  write(text: string): void {
    this.written.push(text);
  }

  async stop(): Promise<void> {
    this.ends('ended by SIGTERM');
  }
}

/** A board in memory: a tree of files, commands that answer as a test says, serial ports. */
export class MadeUpBoard implements BoardPlatform {
  readonly clock: Clock;
  readonly tree = new Map<string, string>();
  /** Writes to files, as `path=text`. */
  readonly writes: string[] = [];
  /** Commands that ran to their end, with spaces between the words. */
  readonly ran: string[] = [];
  /** Commands that were started and go on. */
  readonly started: MadeUpProcess[] = [];
  /** What a command answers; undefined: it is not installed. */
  answer: (command: string) => string | Uint8Array | PipevineError | undefined = () => undefined;
  /** What a started command does first. */
  onStart: (process: MadeUpProcess) => void = () => undefined;
  /** What the kernel does after a write. */
  onWrite: (path: string, text: string) => void = () => undefined;
  readonly openPorts: MadeUpPort[] = [];
  readonly powerAsked: PowerAction[] = [];
  readonly watched = new Map<string, Set<() => void>>();

  constructor(clock: Clock, tree: Readonly<Record<string, string>> = {}) {
    this.clock = clock;
    this.set(tree);
  }

  set(tree: Readonly<Record<string, string>>): void {
    for (const [path, text] of Object.entries(tree)) this.tree.set(path, text);
  }

  /** A folder or file goes, with all below it. */
  remove(path: string): void {
    for (const file of [...this.tree.keys()]) if (file === path || file.startsWith(`${path}/`)) this.tree.delete(file);
  }

  /** Entries of a folder came or went. */
  touch(folder: string): void {
    for (const onChange of this.watched.get(folder) ?? []) onChange();
  }

  /** The one that runs this tool now. */
  process(name: string): MadeUpProcess {
    const found = this.started.findLast((process) => process.command[0] === name);
    if (found === undefined) throw new Error(`${name} was not started`);
    return found;
  }

  readonly files: BoardFiles = {
    read: async (path) => this.tree.get(path),
    write: async (path, text) => {
      if (!this.tree.has(path)) throw new PipevineError('not-found', `${path} cannot be written (ENOENT)`);
      this.writes.push(`${path}=${text}`);
      this.tree.set(path, text);
      this.onWrite(path, text);
    },
    list: async (path) => {
      const below = [...this.tree.keys()].filter((file) => file.startsWith(`${path}/`));
      return [...new Set(below.map((file) => file.slice(path.length + 1).split('/')[0] ?? ''))].sort();
    },
    space: async () => ({ totalBytes: 32_000_000_000, freeBytes: 20_000_000_000 }),
    watch: (path, onChange) => {
      const watchers = this.watched.get(path) ?? new Set();
      this.watched.set(path, watchers.add(onChange));
      return {
        close: () => {
          watchers.delete(onChange);
        },
      };
    },
  };

  readonly commands: BoardCommands = {
    run: async (command) => {
      const line = command.join(' ');
      this.ran.push(line);
      const answer = this.answer(line);
      if (answer instanceof PipevineError) throw answer;
      if (answer === undefined) throw new PipevineError('unsupported', `the command ${command[0]} is not installed`);
      return typeof answer === 'string' ? new TextEncoder().encode(answer) : answer;
    },
    start: (command, options) => {
      const process = new MadeUpProcess(command, options);
      this.started.push(process);
      queueMicrotask(() => this.onStart(process));
      return process;
    },
  };

  readonly power: BoardPower = {
    ask: async (action) => {
      this.powerAsked.push(action);
    },
  };

  readonly serialPorts: SerialPorts = {
    open: async (settings) => {
      if (!this.tree.has(settings.device)) throw new PipevineError('not-found', `${settings.device} cannot be opened`);
      const port = new MadeUpPort(settings);
      this.openPorts.push(port);
      return port;
    },
  };
}

/** A serial port with a test at its other end. */
export class MadeUpPort implements SerialPort {
  readonly settings: SerialSettings;
  readonly written: Uint8Array[] = [];
  closed = false;
  readonly #waiting: Uint8Array[] = [];
  #wake: () => void = () => undefined;

  constructor(settings: SerialSettings) {
    this.settings = settings;
  }

  /** The device on the line sends. */
  sends(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
    this.#wake();
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.written.push(bytes.slice());
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next !== undefined) yield next;
      else if (this.closed) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    this.#wake();
  }
}
