import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommandLine } from '../command-line.ts';
import { NO_INPUT } from '../input/input.ts';
import { IMAGE_COMMAND } from './image-command.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipevine-image-command-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, content: string) => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

async function run(args: readonly string[], answers: readonly string[] = []) {
  let [out, err] = ['', ''];
  const asked: string[] = [];
  const input = {
    ...NO_INPUT,
    interactive: answers.length > 0,
    ask: async (question: string) => answers[asked.push(question) - 1] ?? '',
  };
  const code = await runCommandLine(['image', ...args], {
    env: { HOME: folder, XDG_CONFIG_HOME: join(folder, 'config') },
    out: { write: (text) => (out += text) },
    err: { write: (text) => (err += text) },
    signal: new AbortController().signal,
    input,
    moreCommands: { commands: [IMAGE_COMMAND], loadMethods: async () => () => ({}) },
  });
  return { code, out, err, asked };
}

/** All that is needed, with a package that is none: whoever gets that far, gets no further. */
const given = (...more: string[]) => {
  const pack = write('none.deb', 'no package');
  return [
    '--board',
    'rpi-4',
    '--base',
    join(folder, 'base.img'),
    '--out',
    join(folder, 'out.img'),
    '--package',
    pack,
    ...more,
  ];
};
const ENDS_AT_PACKAGE = { code: 5, err: expect.stringContaining('this is no Debian package') };

describe('image', () => {
  it.each(['board', 'base', 'out'])('says that --%s is missing', async (key) => {
    const args = given();
    args.splice(args.indexOf(`--${key}`), 2);
    expect(await run(args)).toMatchObject({ code: 2, err: expect.stringContaining(`"image" needs --${key}`) });
  });

  it('exits 3 for a board that is not known', async () => {
    expect(await run(given('--board', 'zx81'))).toMatchObject({ code: 3, err: expect.stringContaining('rpi-zero-2w') });
  });

  it('asks for the Wi-Fi password where a person sits, and takes it from a file otherwise', async () => {
    const asked = await run(given('--wifi', 'Home'), ['correct horse']);
    expect(asked).toMatchObject({ ...ENDS_AT_PACKAGE, asked: ['Password of the network Home: '] });
    expect(asked.err).not.toContain('correct horse');
    const file = write('password', 'correct horse\n');
    expect(await run(given('--wifi', 'Home', '--wifi-password-file', file))).toMatchObject(ENDS_AT_PACKAGE);
    expect(await run(given('--wifi', 'Home', '--wifi-open'))).toMatchObject(ENDS_AT_PACKAGE);
    expect(await run(given('--wifi', 'Home'))).toMatchObject({
      code: 2,
      err: expect.stringContaining('--wifi-password-file FILE (- for standard input) or --wifi-open'),
    });
  });

  it.each([
    [['--wifi-country', 'DE'], 'need its name: --wifi SSID'],
    [['--wifi-open'], 'need its name: --wifi SSID'],
    [['--user', 'ann'], 'it needs --ssh-key FILE'],
    [['--wifi', 'x', '--wifi-open', '--wifi-password-file', 'f'], 'give one of --wifi-open and --wifi-password-file'],
    [['--ssh-key', '/nowhere'], '--ssh-key: /nowhere cannot be read (ENOENT)'],
    [['--config', '/nowhere'], '--config: /nowhere cannot be read (ENOENT)'],
    [['--hostname', '-a'], 'hostname expects letters'],
    [['--join', 'a b'], 'join expects a code'],
    [['--wifi', 'x', '--wifi-open', '--wifi-country', 'de'], 'wifi-country expects two capitals'],
    [['--from-debian'], 'give one of --base and --from-debian'],
    [['--mirror', 'http://a'], '--mirror goes with --from-debian'],
    [['--out', '/tmp/out.iso'], 'expected a name that ends with .img or .img.zst'],
  ])('refuses %j', async (more, message) => {
    expect(await run(given(...more))).toMatchObject({ code: 2, err: expect.stringContaining(message) });
  });

  it('takes public keys only, and says which line of a configuration is wrong', async () => {
    const secret = write('id', '-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n');
    expect((await run(given('--ssh-key', secret))).err).toContain('is a private key; give the public one');
    expect((await run(given('--ssh-key', write('empty.pub', '# none\n')))).err).toContain('there is no key in');
    const key = write('id.pub', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBcc ann@desk\n');
    expect(await run(given('--ssh-key', key))).toMatchObject(ENDS_AT_PACKAGE);
    const config = write('board.yaml', 'name: a\nnmae: b\n');
    expect(await run(given('--config', config))).toMatchObject({
      code: 2,
      err: expect.stringContaining('board.yaml:2:1'),
    });
  });

  it('takes a package with signed checksums beside it only when they are right', async () => {
    expect((await run(given())).err).toContain('has no signed checksums beside it');
    write('SHA256SUMS', '');
    write('SHA256SUMS.sig', 'AAAA\nBBBB\n');
    expect(await run(given())).toMatchObject({ code: 5, err: expect.stringContaining('which is not trusted here') });
    expect(readdirSync(folder)).not.toContain('out.img');
  });
});
