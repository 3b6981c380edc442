import { freePort, PipevineProcess, pipevine } from './pipevine-process.ts';

/** A command of a page, and what it prints there. */
export interface Step {
  readonly machine: string;
  readonly command: string;
  readonly expected: readonly string[];
}

const PROMPT = /^\w+@(\w+)\$ (.*)$/;
/** Of the page: any lines here, or none. */
const ELLIPSIS = '...';
const QR_CODE = /^[█▀▄ ]+$/;
const ID = /^[a-z2-7]{8}$|^[a-z2-7]{52}$/;
const CODE = /^B[A-Z2-7]{4}(-[A-Z2-7]{5}){8}$/;
/** What only looks, and so can be repeated until the other machines have caught up. */
const LOOKS = /^pipevine (group (list|show|members|approve$)|things|peers|read|info)/;
const DEADLINE_MS = 60_000;

/** The commands in the `console` blocks of a page, each with the lines below it up to the next. */
export function stepsOf(page: string): Step[] {
  return [...page.matchAll(/^```console\n([\s\S]*?)^```$/gm)].flatMap(([, block = '']) => {
    const steps: (Step & { readonly expected: string[] })[] = [];
    for (const line of block.trimEnd().split('\n')) {
      const [, machine, command] = PROMPT.exec(line) ?? [];
      if (machine !== undefined && command !== undefined) steps.push({ machine, command, expected: [] });
      else steps.at(-1)?.expected.push(line);
    }
    return steps.map((step) => ({ ...step, expected: printed(step.expected.join('\n')) }));
  });
}

/** Lines as they are compared: without QR codes, and empty lines at the end. */
export function printed(text: string): string[] {
  const lines = text.trimEnd().split('\n');
  const shown = lines.filter((line) => line === '' || !QR_CODE.test(line)).join('\n');
  return shown.trimEnd() === '' ? [] : shown.trimEnd().split('\n');
}

/**
 * What stands on the page for what is different each time: ids and join codes. Each must stand for one thing wherever it
 * comes; times, sizes, addresses and paths may be any.
 */
export class Examples {
  #real = new Map<string, string>();
  #shown = new Map<string, string>();

  /** A command of the page, with the real ids and codes. */
  command(text: string): string {
    return text.replace(/[\w-]+/g, (word) => this.#real.get(word) ?? word);
  }

  /** Whether the lines are those of the page; what they told is remembered only then. */
  agree(expected: readonly string[], actual: readonly string[]): boolean {
    const before = [new Map(this.#real), new Map(this.#shown)] as const;
    if (this.#lines(expected, actual)) return true;
    [this.#real, this.#shown] = before;
    return false;
  }

  #lines(expected: readonly string[], actual: readonly string[]): boolean {
    const [first, ...rest] = expected;
    if (first === undefined) return actual.length === 0;
    if (first.trim() === ELLIPSIS) {
      return Array.from({ length: actual.length + 1 }, (_, from) => from).some((from) =>
        this.#lines(rest, actual.slice(from)),
      );
    }
    const [line, ...others] = actual;
    return line !== undefined && this.#line(first, line) && this.#lines(rest, others);
  }

  #line(expected: string, actual: string): boolean {
    const shown = words(expected);
    const real = words(actual);
    return shown.length === real.length && shown.every((word, index) => this.#word(word, real[index] ?? ''));
  }

  #word(shown: string, real: string): boolean {
    const known = this.#real.get(shown) ?? (this.#shown.has(real) ? undefined : real);
    if (this.#real.has(shown) || this.#shown.has(real)) return known === real && this.#shown.get(real) === shown;
    if (shown === real) return true;
    if (![ID, CODE].some((form) => form.test(shown) && form.test(real))) return false;
    this.#real.set(shown, real);
    this.#shown.set(real, shown);
    return true;
  }
}

const SPAN = '\\d[\\d.]* (?:ms|s|min|h|d|B|kB|MB|GB)';

function words(line: string): string[] {
  return line
    .replace(/\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:[\d.]+Z)?/g, '<time>')
    .replace(/\b(tcp|mqtt):\/\/[\w.:]+/g, '<address>')
    .replace(/(^| )(\/[\w.-]+)+/g, '$1<path>')
    .replace(/\bkill \d+/g, '<process>')
    .replace(new RegExp(`\\b${SPAN}(?: ${SPAN})*`, 'g'), '<amount>')
    .split(/[\s:;,.()"]+/)
    .filter((word) => word !== '');
}

export interface HouseholdInit {
  /** Where each machine has its home folder. */
  readonly folder: string;
  /** Called when a gateway listens, with the port of its broker, before anything else is done. */
  readonly onGateway?: (machine: string, mqttPort: number) => Promise<void>;
}

/** The machines of a page: a process for each running peer, a home for each machine, one network of their own. */
export class Household {
  readonly #init: HouseholdInit;
  readonly #multicastPort: Promise<number> = freePort();
  readonly #peers = new Map<string, PipevineProcess>();
  readonly #jobs = new Map<string, { process: PipevineProcess; shownLines: number }>();
  readonly #mqttPorts = new Map<string, number>();

  constructor(init: HouseholdInit) {
    this.#init = init;
  }

  homeOf(machine: string): string {
    return `${this.#init.folder}/${machine}`;
  }

  async environmentOf(machine: string): Promise<NodeJS.ProcessEnv> {
    return {
      PIPEVINE_HOME: this.homeOf(machine),
      PIPEVINE_NAME: machine,
      PIPEVINE_MULTICAST_INTERFACE: 'lo',
      PIPEVINE_MULTICAST_PORT: String(await this.#multicastPort),
    };
  }

  /** Runs one command to its end, as its machine does. */
  async run(machine: string, ...args: string[]) {
    return pipevine(args, await this.environmentOf(machine));
  }

  /** Starts one that goes on. */
  async start(machine: string, ...args: string[]): Promise<PipevineProcess> {
    return new PipevineProcess(args, await this.environmentOf(machine));
  }

  /** A running peer; resolves when it listens, with what it printed. */
  async up(machine: string, ...args: string[]): Promise<string[]> {
    const isEdge = args.includes('edge');
    const mqttPort = isEdge ? 0 : (this.#mqttPorts.get(machine) ?? (await freePort()));
    this.#mqttPorts.set(machine, mqttPort);
    const process = new PipevineProcess(['up', ...args], {
      ...(await this.environmentOf(machine)),
      PIPEVINE_LISTEN: 'tcp://127.0.0.1:0',
      ...(isEdge ? {} : { PIPEVINE_MQTT_LISTEN: `127.0.0.1:${mqttPort}` }),
    });
    this.#peers.set(machine, process);
    const isLast = (line: string) => (/^ {2}Stop /.test(line) ? true : undefined);
    await process.stdout.next(isLast, DEADLINE_MS).catch((error: unknown) => {
      throw new Error(`${machine} did not start: ${process.stderr.lines.join('\n')}`, { cause: error });
    });
    const last = process.stdout.lines.findIndex((line) => isLast(line));
    if (!isEdge) await this.#init.onGateway?.(machine, mqttPort);
    return process.stdout.lines.slice(0, last + 1);
  }

  /** Ends the running peer of a machine. */
  async down(machine: string): Promise<void> {
    await this.#peers.get(machine)?.end('SIGTERM');
    this.#peers.delete(machine);
  }

  /** Does a step of a page. Resolves when it printed what the page says, or to what it printed instead. */
  async follow({ machine, command, expected }: Step, examples: Examples): Promise<readonly string[] | 'as expected'> {
    const real = examples.command(command).replace('password.txt', `${this.#init.folder}/password.txt`);
    const deadlineMs = Date.now() + DEADLINE_MS;
    for (;;) {
      const actual = await this.#print(machine, real, expected.length);
      if (examples.agree(expected, actual)) return 'as expected';
      if (!LOOKS.test(real) || Date.now() > deadlineMs) return actual;
    }
  }

  async end(): Promise<void> {
    const processes = [...this.#peers.values(), ...[...this.#jobs.values()].map(({ process }) => process)];
    await Promise.all(processes.map((process) => process.end('SIGKILL')));
  }

  async #print(machine: string, command: string, expectedLines: number): Promise<string[]> {
    if (command === 'kill %1') {
      await this.down(machine);
      return [];
    }
    if (command === 'fg') return this.#rest(machine);
    const [program, ...args] = [...command.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
      ([, single, double, bare]) => single ?? double ?? bare ?? '',
    );
    if (program !== 'pipevine') throw new Error(`A page can only show pipevine, fg and kill %1, not: ${command}`);
    if (args.at(-1) !== '&') {
      const { stdout, stderr } = await this.run(machine, ...args);
      return printed(stdout + stderr);
    }
    if (args[0] === 'up') return printed((await this.up(machine, ...args.slice(1, -1))).join('\n'));
    const process = await this.start(machine, ...args.slice(0, -1));
    this.#jobs.set(machine, { process, shownLines: expectedLines });
    for (let line = 0; line < expectedLines; line++) await process.stdout.next(() => true, DEADLINE_MS, line);
    return process.stdout.lines.slice(0, expectedLines);
  }

  /** What a command in the background printed until it ended by itself, since it was shown last. */
  async #rest(machine: string): Promise<string[]> {
    const job = this.#jobs.get(machine);
    if (job === undefined) throw new Error(`${machine} has nothing in the background.`);
    const { process, shownLines } = job;
    await process.stderr.next(() => true, DEADLINE_MS);
    await process.exited;
    return [...process.stdout.lines.slice(shownLines), ...process.stderr.lines];
  }
}
