import { PassThrough, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { processInput } from './process-input.ts';

/** A terminal made of streams, and what it shows. */
function terminal() {
  const shown = { text: '' };
  const input = Object.assign(new PassThrough(), { isTTY: true });
  const err = Object.assign(
    new Writable({
      write: (chunk, _encoding, done) => {
        shown.text += String(chunk);
        done();
      },
    }),
    { isTTY: true },
  );
  // Of the streams of a process only what they have of a terminal is used.
  return { typed: input, shown, asking: processInput(() => input as never, err as never) };
}

describe('a person at a terminal', () => {
  it('is asked for a secret, of which nothing is shown; a typo can be taken back', async () => {
    const { typed, shown, asking } = terminal();
    const answer = asking.ask('Password: ', { secret: true });
    await new Promise((resolve) => setImmediate(resolve));
    for (const key of ['s', 'x', '\u007f', 'e', 's', 'a', 'm', 'e', '\r']) typed.write(key);
    expect(await answer).toBe('sesame');
    expect(shown.text).toBe('Password: \n');
  });

  it('sees what it types when it is no secret', async () => {
    const { typed, shown, asking } = terminal();
    const answer = asking.ask('Sure? ');
    await new Promise((resolve) => setImmediate(resolve));
    typed.write('yes\r');
    expect(await answer).toBe('yes');
    expect(shown.text).toContain('Sure? ');
    expect(shown.text).toContain('yes');
  });

  it.each([
    ['Ctrl-C', '\u0003'],
    ['Ctrl-D', '\u0004'],
  ])('ends it with %s', async (_name, key) => {
    const { typed, asking } = terminal();
    const answer = asking.ask('Password: ', { secret: true });
    await new Promise((resolve) => setImmediate(resolve));
    typed.write(key);
    await expect(answer).rejects.toMatchObject({ code: 'aborted', message: 'nothing was done' });
  });
});

describe('standard input', () => {
  it('gives its first line, however it is cut', async () => {
    const { typed, asking } = terminal();
    const line = asking.firstLine();
    for (const byte of Buffer.from('gr\u00fcn\r\nmore')) typed.write(Buffer.from([byte]));
    expect(await line).toBe('gr\u00fcn');
  });

  it('gives all when there is no end of line, and refuses what has no end', async () => {
    const short = terminal();
    short.typed.end('all');
    expect(await short.asking.firstLine()).toBe('all');
    const endless = terminal();
    endless.typed.write('x'.repeat(5_000));
    await expect(endless.asking.firstLine()).rejects.toMatchObject({ code: 'too-large' });
  });

  it('is nobody who can be asked', () => {
    const { asking } = terminal();
    expect(asking.interactive).toBe(true);
    // As above.
    expect(processInput(() => new PassThrough() as never, new PassThrough() as never).interactive).toBe(false);
  });
});
