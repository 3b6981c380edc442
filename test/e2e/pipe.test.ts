import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { toFrame } from '../../cli/input/message-splitter.ts';
import { Household } from './group-journey.ts';
import { PipedCommand } from './piped-command.ts';
import { temporaryFolder } from './pipevine-process.ts';

const DEADLINE_MS = 30_000;
/** The longest of a test, ms: several deadlines, so that what did not come is named. */
const TEST_MS = 180_000;

const addressIn = (lines: readonly string[]): string => /tcp:\S+/.exec(lines.join('\n'))?.[0] ?? 'no address';

/** Members of the home of cellar, a gateway: the edges kitchen and attic, and visitor, a guest. Nothing by multicast. */
describe('pipes by name between processes', () => {
  let machines: Household;
  const ids = new Map<string, string>();
  const commands = new Set<PipedCommand>();
  let remove = async (): Promise<void> => undefined;

  const start = async (machine: string, ...args: string[]): Promise<PipedCommand> => {
    const command = new PipedCommand(['pipe', ...args], await machines.environmentOf(machine));
    commands.add(command);
    return command;
  };

  /** Resolves when it listens, says its own standard error, or its first value with `--json`. */
  const listen = async (machine: string, ...args: string[]): Promise<PipedCommand> => {
    const command = await start(machine, 'listen', ...args);
    if (args.includes('--json')) await command.value(({ type }) => type === 'listening', DEADLINE_MS);
    else await command.stderr.next((line) => (line.includes('listening under') ? true : undefined), DEADLINE_MS);
    return command;
  };

  /** Sends all of the input, and waits for the end. */
  const send = async (machine: string, input: string | Uint8Array, ...args: string[]) => {
    const command = await start(machine, 'send', ...args);
    command.type(input);
    command.endInput();
    const code = await command.exit(DEADLINE_MS);
    return { code, stdout: command.stdout.toString(), stderr: command.stderr.lines.join('\n') };
  };

  const interrupt = async (command: PipedCommand): Promise<number | null> => {
    command.signal('SIGINT');
    return command.exit(DEADLINE_MS);
  };

  const idOf = (machine: string): string => ids.get(machine) ?? `no id of ${machine}`;
  const shortIdOf = (machine: string): string => idOf(machine).replace(/^.*:/, '').slice(0, 8);

  beforeAll(async () => {
    const folder = await temporaryFolder();
    remove = folder.remove;
    machines = new Household({ folder: folder.path });
    const near = ['--no-multicast', '--seed', addressIn(await machines.up('cellar', '--no-multicast'))];
    const peerOf = async (machine: string): Promise<string> =>
      String(JSON.parse((await machines.run(machine, 'status', '--json')).stdout).peer);
    const hasLease = async (machine: string): Promise<boolean> => {
      const { stdout } = await machines.run(machine, 'group', 'show', 'home of cellar', '--json');
      return stdout !== '' && JSON.parse(stdout).rendezvous.lease !== null;
    };
    const invite = async (...args: string[]): Promise<string> =>
      String(JSON.parse((await machines.run('cellar', 'group', 'invite', ...args, '--json')).stdout).code);
    const [code, guestCode, cellarId] = await Promise.all([
      invite('--uses', '2'),
      invite('--role', 'guest'),
      peerOf('cellar'),
    ]);
    ids.set('cellar', cellarId);
    const codes = { kitchen: code, attic: code, visitor: guestCode };
    await Promise.all(
      Object.entries(codes).map(async ([machine, joined]) => {
        expect(await machines.run(machine, 'join', joined, ...near)).toMatchObject({ code: 0 });
        await machines.up(machine, '--profile', 'edge', ...near);
        ids.set(machine, await peerOf(machine));
        // What an edge advertises is found by others once it has a rendezvous.
        for (const deadline = Date.now() + DEADLINE_MS; !(await hasLease(machine)); ) {
          if (Date.now() > deadline) throw new Error(`${machine} got no lease in ${DEADLINE_MS} ms.`);
        }
      }),
    );
  }, TEST_MS);

  afterEach(async () => {
    await Promise.all(
      [...commands].map((command) => {
        command.signal('SIGKILL');
        return command.exited;
      }),
    );
    commands.clear();
  });

  afterAll(async () => {
    await machines?.end();
    await remove();
  });

  it(
    'carries ten thousand lines over a secure pipe, each byte and in order, and ends on Ctrl-C',
    async () => {
      const listener = await listen('attic', 'log');
      const lines = Array.from({ length: 10_000 }, (_, line) =>
        line % 100 === 0 ? '' : `${line} wärmt – ${line * 7_919}`,
      );
      const text = `${lines.join('\n')}\n`;
      expect(await send('kitchen', text, 'log')).toEqual({ code: 0, stdout: '', stderr: '' });
      const printed = await listener.printed(Buffer.byteLength(text), DEADLINE_MS);
      expect(printed.toString() === text).toBe(true);
      expect(await interrupt(listener)).toBe(0);
      expect(listener.stderr.lines).toHaveLength(1);
    },
    TEST_MS,
  );

  it(
    'tells of listening, pipes and messages in JSON on both sides',
    async () => {
      const listener = await listen('attic', 'report', '--kind', 'reliable', '--json');
      const sent = await send('kitchen', Buffer.from([...Buffer.from('last\n'), 0xff, 0x0a]), 'report', '--json');
      await listener.value(({ type }) => type === 'closed', DEADLINE_MS);
      const [listening, opened, first, second, closed, ...others] = listener.values;
      expect(listening).toMatchObject({
        name: 'report',
        kind: 'reliable',
        peer: idOf('attic'),
        groupName: 'home of cellar',
      });
      expect(opened).toMatchObject({ type: 'opened', peer: idOf('kitchen'), kind: 'reliable' });
      const about = { type: 'message', pipe: opened?.pipe, peer: idOf('kitchen') };
      expect([first, second]).toMatchObject([
        { ...about, text: 'last', data: 'bGFzdA==' },
        { ...about, text: null, data: '/w==' },
      ]);
      expect(closed).toMatchObject({ pipe: opened?.pipe, code: null });
      expect(others).toEqual([]);
      const [bound, total] = sent.stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(bound).toMatchObject({
        type: 'bound',
        kind: 'reliable',
        peer: idOf('attic'),
        groupName: 'home of cellar',
      });
      expect({ ...sent, stdout: total }).toEqual({ code: 0, stdout: { messages: 2, bytes: 5 }, stderr: '' });
    },
    TEST_MS,
  );

  it(
    'answers each request with the next line of who listens',
    async () => {
      const listener = await listen('attic', 'ask', '--kind', 'request');
      listener.type('at noon\nby the back door\n');
      const asked = await send('kitchen', 'when?\nwhere?\n', 'ask');
      expect(asked).toEqual({ code: 0, stdout: 'at noon\nby the back door\n', stderr: '' });
      expect(listener.stdout.toString()).toBe('when?\nwhere?\n');
      expect(await interrupt(listener)).toBe(0);
    },
    TEST_MS,
  );

  it(
    'carries a message to all that listen on a propagate pipe',
    async () => {
      const listeners = await Promise.all(
        ['attic', 'kitchen'].map((machine) => listen(machine, 'news', '--kind', 'propagate', '--json')),
      );
      const sent = await send('cellar', 'supper is ready\n', 'news', '--json');
      expect(sent).toMatchObject({ code: 0, stderr: '' });
      expect(JSON.parse(sent.stdout.split('\n')[0] ?? '')).toMatchObject({
        type: 'bound',
        kind: 'propagate',
        peer: null,
      });
      for (const listener of listeners) {
        const heard = await listener.value(({ type }) => type === 'message', DEADLINE_MS);
        expect(heard).toMatchObject({ peer: idOf('cellar'), text: 'supper is ready' });
        expect(heard).not.toHaveProperty('pipe');
        expect(await interrupt(listener)).toBe(0);
        expect(listener.values.filter(({ type }) => type === 'message')).toHaveLength(1);
      }
    },
    TEST_MS,
  );

  it(
    'carries lines over a unicast pipe',
    async () => {
      const listener = await listen('attic', 'hints', '--kind', 'unicast');
      expect(await send('kitchen', 'a\nb\nc\n', 'hints')).toEqual({ code: 0, stdout: '', stderr: '' });
      const printed = await listener.printed(6, DEADLINE_MS);
      expect(printed.toString().trimEnd().split('\n').sort()).toEqual(['a', 'b', 'c']);
    },
    TEST_MS,
  );

  it(
    'carries frames of any bytes, an empty one and one of a megabyte among them',
    async () => {
      const listener = await listen('attic', 'film', '--binary');
      const megabyte = Buffer.from(Array.from({ length: 1_000_000 }, (_, at) => (at * 31 + (at >> 8)) & 0xff));
      const frames = [Buffer.from([10, 0, 13, 27]), Buffer.alloc(0), megabyte, Buffer.from('end')];
      const bytes = Buffer.concat(frames.map(toFrame));
      expect(await send('kitchen', bytes, 'film', '--binary')).toEqual({ code: 0, stdout: '', stderr: '' });
      const printed = await listener.printed(bytes.length, DEADLINE_MS);
      expect(printed.equals(bytes)).toBe(true);
    },
    TEST_MS,
  );

  it(
    'says that nobody listens under a name',
    async () => {
      const [sent, json] = await Promise.all([
        send('kitchen', 'x\n', 'nowhere'),
        send('kitchen', 'x\n', 'nowhere', '--json'),
      ]);
      expect(sent).toMatchObject({ code: 3, stdout: '' });
      expect(sent.stderr).toBe('pipevine: Nobody in reach listens under "nowhere" in this group.');
      expect({ code: json.code, error: JSON.parse(json.stderr).error }).toMatchObject({
        code: 3,
        error: { code: 'not-found' },
      });
    },
    TEST_MS,
  );

  it(
    'lists who listens, asks which of two is meant, and sends to the one that is named',
    async () => {
      const [attic, cellar] = await Promise.all([listen('attic', 'bell'), listen('cellar', 'bell')]);
      const sent = await send('kitchen', 'ring\n', 'bell');
      expect(sent).toMatchObject({ code: 2, stdout: '' });
      expect(sent.stderr).toContain('2 peers listen under "bell"');
      for (const machine of ['attic', 'cellar']) expect(sent.stderr).toContain(shortIdOf(machine));

      const [{ stdout }, { stdout: table }] = await Promise.all([
        machines.run('kitchen', 'pipe', 'ls', '--json'),
        machines.run('kitchen', 'pipe', 'ls'),
      ]);
      const listed = stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
      const bells = listed.filter(({ name }) => name === 'bell').map(({ group: _, ...one }) => one);
      expect(bells.sort((a, b) => (a.peerName < b.peerName ? -1 : 1))).toEqual(
        ['attic', 'cellar'].map((peerName) => ({
          name: 'bell',
          kind: 'secure',
          peer: idOf(peerName),
          peerName,
          path: null,
          groupName: 'home of cellar',
        })),
      );
      expect(table).toMatch(new RegExp(`^bell +secure +attic +${shortIdOf('attic')} +home of cellar +-$`, 'm'));

      expect(await send('kitchen', 'ring twice\n', 'bell', '--to', 'attic')).toMatchObject({ code: 0, stderr: '' });
      expect((await attic.printed(11, DEADLINE_MS)).toString()).toBe('ring twice\n');
      expect(await Promise.all([attic, cellar].map(interrupt))).toEqual([0, 0]);
      expect(cellar.stdout.length).toBe(0);
    },
    TEST_MS,
  );

  it(
    'goes on with --keep when who listens is killed and somebody else listens',
    async () => {
      const first = await listen('attic', 'diary');
      const sender = await start('kitchen', 'send', 'diary', '--keep', '--json');
      sender.type('monday\n');
      expect((await first.printed(7, DEADLINE_MS)).toString()).toBe('monday\n');
      first.signal('SIGKILL');
      const lost = await sender.value(({ type }) => type === 'interrupted', DEADLINE_MS);
      expect(lost).toMatchObject({ peer: idOf('attic') });
      const seen = sender.values.length;
      const second = await listen('cellar', 'diary');
      sender.type('tuesday\n');
      const bound = await sender.value(({ type }) => type === 'bound', DEADLINE_MS, seen);
      expect(bound).toMatchObject({ peer: idOf('cellar'), kind: 'secure' });
      expect((await second.printed(8, DEADLINE_MS)).toString()).toBe('tuesday\n');
      sender.endInput();
      expect(await sender.exit(DEADLINE_MS)).toBe(0);
      expect(sender.values.at(-1)).toEqual({ messages: 2, bytes: 13 });
    },
    TEST_MS,
  );

  it(
    'ends with an error, unless told to keep on, when who listens is killed',
    async () => {
      const listener = await listen('attic', 'once');
      const sender = await start('kitchen', 'send', 'once');
      sender.type('before\n');
      await listener.printed(7, DEADLINE_MS);
      listener.signal('SIGKILL');
      expect(await sender.exit(DEADLINE_MS)).toBe(1);
      expect(sender.stderr.lines).toEqual(['pipevine: Who listened under "once" has closed the pipe.']);
    },
    TEST_MS,
  );

  it(
    'sends what was read before Ctrl-C, and ends with 0',
    async () => {
      const listener = await listen('attic', 'farewell');
      const sender = await start('kitchen', 'send', 'farewell');
      sender.type('goodbye\nfor n');
      await listener.printed(8, DEADLINE_MS);
      expect(await interrupt(sender)).toBe(0);
      expect(sender.stderr.lines).toEqual([]);
      expect((await listener.printed(14, DEADLINE_MS)).toString()).toBe('goodbye\nfor n\n');
    },
    TEST_MS,
  );

  it(
    'lets a guest see who listens and hear a propagate pipe, but neither listen for pipes nor bind one',
    async () => {
      const [safe, songs] = await Promise.all([
        listen('attic', 'safe'),
        listen('visitor', 'songs', '--kind', 'propagate'),
      ]);
      const [bound, listening, listed] = await Promise.all([
        send('visitor', 'x\n', 'safe'),
        start('visitor', 'listen', 'trap').then(async (command) => {
          const code = await command.exit(DEADLINE_MS);
          return { code, stderr: command.stderr.lines.join('\n') };
        }),
        machines.run('visitor', 'pipe', 'ls'),
      ]);
      expect(bound).toMatchObject({ code: 5, stdout: '', stderr: expect.stringContaining('"invoke"') });
      expect(listening).toMatchObject({ code: 5, stderr: expect.stringContaining('"publish"') });
      expect(listed).toMatchObject({ code: 0, stdout: expect.stringContaining('safe') });
      expect(await Promise.all([safe, songs].map(interrupt))).toEqual([0, 0]);
      expect(safe.stdout.length).toBe(0);
    },
    TEST_MS,
  );
});
