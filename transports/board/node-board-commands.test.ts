import { describe, expect, it } from 'vitest';
import type { StartOptions } from './board-platform.ts';
import { nodeBoardCommands } from './node-board-commands.ts';

const commands = nodeBoardCommands();
/** A command that is surely there. */
const script = (text: string) => [process.execPath, '-e', text];
const limits = { timeoutMs: 30_000, maxBytes: 1_000 };

describe('a command that ends', () => {
  it('gives its standard output, byte for byte', async () => {
    const output = await commands.run(script('process.stdout.write(Buffer.from([0xff, 0xd8, 0, 10]))'), limits);
    expect(output).toEqual(Uint8Array.of(0xff, 0xd8, 0, 10));
  });

  it.each([
    ['fails', script('console.error("no\\nsuch line"); process.exit(3)'), limits, 'unreachable', '(3): no such line'],
    ['is not installed', ['pipevine-no-such-command'], limits, 'unsupported', 'is not installed'],
    ['does not end', script('setInterval(() => {}, 1000)'), { ...limits, timeoutMs: 50 }, 'timeout', 'within 50 ms'],
    ['says too much', script('process.stdout.write("x".repeat(5000))'), limits, 'too-large', 'more than 1000 bytes'],
  ] as const)('is one error when it %s', async (_, command, options, code, message) => {
    await expect(commands.run(command, options)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });

  it('is ended by the signal', async () => {
    const abort = new AbortController();
    const running = commands.run(script('setInterval(() => {}, 1000)'), { ...limits, signal: abort.signal });
    abort.abort();
    await expect(running).rejects.toMatchObject({ code: 'aborted' });
    await expect(commands.run(script(''), { ...limits, signal: abort.signal })).rejects.toMatchObject({
      code: 'aborted',
    });
  });
});

describe('a command that goes on', () => {
  function start(command: readonly string[]) {
    const lines: string[] = [];
    const waiting: (() => void)[] = [];
    const { promise: ended, resolve } = Promise.withResolvers<string>();
    const options: StartOptions = {
      onLine: (line) => {
        lines.push(line);
        for (const wake of waiting.splice(0)) wake();
      },
      onExit: resolve,
    };
    const running = commands.start(command, options);
    const heard = async (count: number) => {
      while (lines.length < count) await new Promise<void>((wake) => waiting.push(wake));
      return lines;
    };
    return { running, ended, heard };
  }

  it('tells its lines, hears what is written, and ends when asked to', async () => {
    const { running, ended, heard } = start(script('process.stdin.on("data", (text) => console.log("got " + text))'));
    running.write('set 17=1\n');
    expect((await heard(1))[0]).toBe('got set 17=1');
    await Promise.all([running.stop(), running.stop()]);
    expect(await ended).toContain('SIGTERM');
    running.write('nobody hears this');
  });

  it('is made to end when it does not want to', async () => {
    const stubborn = 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log("ready")';
    const { running, ended, heard } = start(script(stubborn));
    await heard(1);
    await running.stop();
    expect(await ended).toContain('SIGKILL');
  });

  it('says why it ended, or could not begin', async () => {
    expect(await start(script('console.error("line is busy"); process.exit(1)')).ended).toContain('line is busy');
    expect(await start(['pipevine-no-such-command']).ended).toContain('not installed');
  });

  it('with a line without end comes in parts', async () => {
    const { heard, running } = start(script('process.stdout.write("x".repeat(3000)); setInterval(() => {}, 1000)'));
    const lines = await heard(2);
    expect(lines.every((line) => line.length <= 1_024)).toBe(true);
    await running.stop();
  });
});
