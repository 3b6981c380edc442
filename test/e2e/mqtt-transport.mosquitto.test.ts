import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Household } from './group-journey.ts';
import { PipedCommand } from './piped-command.ts';
import { freePort, LineReader, temporaryFolder } from './pipevine-process.ts';

const DEADLINE_MS = 30_000;
/** The longest of a test, ms: several deadlines, so that what did not come is named. */
const TEST_MS = 180_000;
const LOGIN = { username: 'ann', password: 'sesame' };

/** A mosquitto that wants a login, on one port through its lives. */
class Mosquitto {
  readonly url: string;
  readonly #configuration: string;
  #process: ChildProcess | undefined;

  private constructor(port: number, configuration: string) {
    this.url = `mqtt://127.0.0.1:${port}`;
    this.#configuration = configuration;
  }

  static async in(folder: string): Promise<Mosquitto> {
    const port = await freePort();
    const passwords = join(folder, 'passwords');
    await promisify(execFile)('mosquitto_passwd', ['-b', '-c', passwords, LOGIN.username, LOGIN.password]);
    const lines = [`listener ${port} 127.0.0.1`, 'allow_anonymous false', `password_file ${passwords}`];
    // Else it gives up its rights, and with them those to read its files.
    if (process.getuid?.() === 0) lines.push('user root');
    const configuration = join(folder, 'mosquitto.conf');
    await writeFile(configuration, `${lines.join('\n')}\n`);
    return new Mosquitto(port, configuration);
  }

  async start(): Promise<void> {
    const started = spawn('mosquitto', ['-v', '-c', this.#configuration], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#process = started;
    const output = new LineReader(started.stderr);
    await output.next((line) => (line.includes('running') ? true : undefined), DEADLINE_MS);
  }

  async stop(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    if (running === undefined) return;
    const exited = once(running, 'exit');
    running.kill('SIGTERM');
    await exited;
  }
}

/** The gateway cellar and the edge attic: neither has another way to the other than one broker. */
describe('two peers that can reach nothing but one MQTT broker', () => {
  let machines: Household;
  let broker: Mosquitto;
  let remove = async (): Promise<void> => undefined;
  let address = '';
  const commands: PipedCommand[] = [];

  const gatewayUp = async (): Promise<string> => {
    const printed = await machines.up('cellar', '--no-multicast', '--listen', `${broker.url}/pipevine`);
    return /mqtt:\S+\/pipevine#\w+/.exec(printed.join('\n'))?.[0] ?? 'no address';
  };

  const start = async (machine: string, ...args: string[]): Promise<PipedCommand> => {
    const command = new PipedCommand(['pipe', ...args], await machines.environmentOf(machine));
    commands.push(command);
    return command;
  };

  /** Sends a line, again while nobody is found, until it was taken. */
  const sendLine = async (line: string): Promise<void> => {
    for (const deadline = Date.now() + DEADLINE_MS; ; ) {
      const command = await start('attic', 'send', 'notes');
      command.type(`${line}\n`);
      command.endInput();
      if ((await command.exit(DEADLINE_MS)) === 0) return;
      if (Date.now() > deadline) throw new Error(`Not sent: ${command.stderr.lines.join('\n')}`);
    }
  };

  beforeAll(async () => {
    const folder = await temporaryFolder();
    remove = folder.remove;
    broker = await Mosquitto.in(folder.path);
    machines = new Household({ folder: folder.path });
    for (const machine of ['cellar', 'attic']) {
      const home = machines.homeOf(machine);
      await mkdir(home, { mode: 0o700 });
      await writeFile(join(home, 'brokers.json'), JSON.stringify({ [broker.url]: LOGIN }), { mode: 0o600 });
    }
  }, TEST_MS);

  afterAll(async () => {
    for (const command of commands) {
      command.signal('SIGKILL');
      await command.exited;
    }
    await machines?.end();
    await broker?.stop();
    await remove();
  });

  it(
    'begin before the broker does, and join, and talk when it is there',
    async () => {
      address = await gatewayUp();
      expect(address).toMatch(/^mqtt:\/\/127\.0\.0\.1:\d+\/pipevine#[0-9a-f]{32}$/);
      await broker.start();
      const invited = await machines.run('cellar', 'invite', '--json');
      const near = ['--no-multicast', '--seed', address];
      const { code: joinCode } = JSON.parse(invited.stdout);
      for (const deadline = Date.now() + DEADLINE_MS; ; ) {
        const joined = await machines.run('attic', 'join', joinCode, ...near);
        if (joined.code === 0) break;
        if (Date.now() > deadline) throw new Error(`Not joined: ${joined.stderr}`);
      }
      await machines.up('attic', '--profile', 'edge', '--listen', `${broker.url}/pipevine`, ...near);
      const listener = await start('cellar', 'listen', 'notes');
      await sendLine('the kettle is on');
      expect((await listener.printed(17, DEADLINE_MS)).toString()).toBe('the kettle is on\n');
      const { stdout } = await machines.run('attic', 'status', '--json');
      expect(JSON.parse(stdout).links).toMatchObject([{ transport: 'mqtt' }]);
      listener.signal('SIGINT');
      await listener.exit(DEADLINE_MS);
    },
    TEST_MS,
  );

  it(
    'find each other again when the gateway restarts, at the address that it had',
    async () => {
      await machines.down('cellar');
      expect(await gatewayUp()).toBe(address);
      const listener = await start('cellar', 'listen', 'notes');
      await sendLine('and boils');
      expect((await listener.printed(10, DEADLINE_MS)).toString()).toBe('and boils\n');
    },
    TEST_MS,
  );

  it(
    'are refused with the file named when others can read the logins',
    async () => {
      const home = machines.homeOf('shed');
      await mkdir(home);
      await writeFile(join(home, 'brokers.json'), '{}', { mode: 0o644 });
      const { code, stderr } = await machines.run('shed', 'up', '--no-multicast');
      expect([code, stderr]).toEqual([1, expect.stringMatching(/brokers\.json is open to others.*chmod 600/)]);
    },
    TEST_MS,
  );
});
