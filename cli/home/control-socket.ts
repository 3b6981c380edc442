import { mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** Bytes that the path of a unix socket may have on Linux; elsewhere it is 103. */
const MAX_SOCKET_PATH_BYTES = 103;

const socketIn = (folder: string) => join(folder, 'control.sock');
const pointerIn = (home: string) => join(home, 'control.path');
const isShort = (path: string) => Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES;

/** Where the daemon of this home listens for commands, if there is one. Windows: a named pipe. */
export function controlSocketOf(home: string): string {
  if (process.platform === 'win32') return `\\\\.\\pipe\\pipevine-${home.replace(/[\\/:]/g, '-')}`;
  const inHome = socketIn(home);
  if (isShort(inHome)) return inHome;
  try {
    return readFileSync(pointerIn(home), 'utf8').trim();
  } catch {
    return inHome;
  }
}

/**
 * Where a new daemon shall listen. A home whose path is too long for a socket gets a folder of its own elsewhere, which
 * nobody else can enter, and a file that says where. Only who holds the home's database may call this.
 */
export function prepareControlSocket(home: string, runtimeFolder: string | undefined): string {
  const earlier = controlSocketOf(home);
  if (process.platform === 'win32') return earlier;
  rmSync(earlier, { force: true });
  if (isShort(socketIn(home))) return earlier;
  if (earlier !== socketIn(home)) removeEmpty(dirname(earlier));
  const folder = mkdtempSync(join(runtimeFolder ?? tmpdir(), 'pipevine-'));
  writeFileSync(pointerIn(home), `${socketIn(folder)}\n`, { mode: 0o600 });
  return socketIn(folder);
}

/** Takes away what `prepareControlSocket` made. */
export function removeControlSocket(home: string, socket: string): void {
  if (process.platform === 'win32') return;
  rmSync(socket, { force: true });
  if (dirname(socket) === home) return;
  removeEmpty(dirname(socket));
  rmSync(pointerIn(home), { force: true });
}

function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Gone already, or somebody put a file there: neither is ours to mend.
  }
}
