import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { controlSocketOf, prepareControlSocket, removeControlSocket } from './control-socket.ts';
import { homeAt, makeHome } from './home.ts';
import { createIdentitySeed, readIdentitySeed } from './identity-key.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipevine-home-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

const modeOf = (path: string) => statSync(path).mode & 0o777;
let counter = 0;
const random = (length: number) => new Uint8Array(length).fill(++counter);

it('makes a home for its owner alone', () => {
  const home = homeAt(join(folder, 'deep', 'home'));
  makeHome(home);
  expect(modeOf(home.path)).toBe(0o700);
  expect(() => makeHome(homeAt(join(home.path, 'x\0y')))).toThrow(expect.objectContaining({ code: 'storage-failed' }));
});

it('says so where no folder can be made', () => {
  expect(() => makeHome(homeAt('/proc/pipevine/home'))).toThrow('the data folder /proc/pipevine/home cannot be made');
});

describe('an identity', () => {
  it('is stored once, for its owner alone, and leaves nothing beside it', () => {
    const file = join(folder, 'identity.key');
    expect(readIdentitySeed(file)).toBeUndefined();
    const seed = createIdentitySeed(file, random);
    expect(readIdentitySeed(file)).toEqual(seed);
    expect(modeOf(file)).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['identity.key']);
  });

  it('is never replaced: who comes second gets the first one', () => {
    const file = join(folder, 'identity.key');
    const seed = createIdentitySeed(file, random);
    expect(createIdentitySeed(file, random)).toEqual(seed);
    expect(readdirSync(folder)).toEqual(['identity.key']);
  });

  it('is refused when others can read it, and when it is damaged', () => {
    const file = join(folder, 'identity.key');
    createIdentitySeed(file, random);
    chmodSync(file, 0o644);
    expect(() => readIdentitySeed(file)).toThrow(
      expect.objectContaining({ code: 'permission-denied', message: expect.stringContaining(`chmod 600 ${file}`) }),
    );
    writeFileSync(file, 'pipevine-identity-1:short');
    chmodSync(file, 0o600);
    expect(() => readIdentitySeed(file)).toThrow(expect.objectContaining({ code: 'storage-failed' }));
  });
});

describe('the control socket', () => {
  it('lies in the home', () => {
    const socket = prepareControlSocket(folder, undefined);
    expect(socket).toBe(join(folder, 'control.sock'));
    expect(controlSocketOf(folder)).toBe(socket);
  });

  it('lies elsewhere when the path is too long, in a folder that is taken away again', async () => {
    const home = join(folder, 'x'.repeat(120));
    makeHome(homeAt(home));
    const first = prepareControlSocket(home, folder);
    expect(Buffer.byteLength(first)).toBeLessThanOrEqual(103);
    expect(controlSocketOf(home)).toBe(first);
    const server = createServer().listen(first);
    await new Promise((resolve) => server.once('listening', resolve));
    const second = prepareControlSocket(home, folder);
    expect(controlSocketOf(home)).toBe(second);
    expect(existsSync(first)).toBe(false);
    removeControlSocket(home, second);
    expect(readdirSync(folder)).toEqual(['x'.repeat(120)]);
    expect(readdirSync(home)).toEqual([]);
    await new Promise((resolve) => server.close(resolve));
  });
});
