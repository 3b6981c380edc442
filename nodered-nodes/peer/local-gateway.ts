import { readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type EndpointAddress, type ErrorCode, PipevineError } from '@pipevine/runtime';

/** Bytes of a socket's path beyond which the gateway writes down where it is. */
const MAX_SOCKET_PATH_BYTES = 103;
/** A status is some KiB. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
const TIMEOUT_MS = 5_000;
const INVITATION_MS = 10 * 60_000;

/** What a running gateway of this machine gives a peer of Node-RED to join by. */
export interface LocalInvitation {
  readonly code: string;
  readonly group: string;
  readonly addresses: readonly EndpointAddress[];
}

/** Where `pipevine up` keeps its data, unless told otherwise: by the XDG Base Directory Specification. */
export function defaultGatewayHome(env: Readonly<Record<string, string | undefined>>): string {
  const data = env.XDG_DATA_HOME;
  return join(data?.startsWith('/') ? data : join(env.HOME ?? homedir(), '.local', 'share'), 'pipevine');
}

/** Where the gateway of this home listens for commands; a path that ends in `.sock` is the socket itself. */
export function gatewaySocket(home: string): string {
  if (home.endsWith('.sock')) return home;
  if (process.platform === 'win32') return `\\\\.\\pipe\\pipevine-${home.replace(/[\\/:]/g, '-')}`;
  const inHome = join(home, 'control.sock');
  if (Buffer.byteLength(inHome) <= MAX_SOCKET_PATH_BYTES) return inHome;
  try {
    return readFileSync(join(home, 'control.path'), 'utf8').trim();
  } catch {
    return inHome;
  }
}

/** Where the gateway can be dialled now, from this machine. */
export async function gatewayAddresses(home: string, signal: AbortSignal): Promise<readonly EndpointAddress[]> {
  const [status] = await ask(home, [{ method: 'status', params: {} }], signal);
  return addressesOf(status);
}

/**
 * Asks the gateway for a code that is good for one peer, and for its addresses. Rejects with `unreachable` when none runs,
 * `permission-denied`, and with what it refuses with.
 */
export async function askForInvitation(home: string, signal: AbortSignal): Promise<LocalInvitation> {
  const invite = { method: 'invite', params: { uses: 1, lifetimeMs: INVITATION_MS } };
  const [invitation, status] = await ask(home, [invite, { method: 'status', params: {} }], signal);
  const { code, group } = shape(invitation);
  if (typeof code !== 'string' || typeof group !== 'string') throw unexpected('a join code');
  return { code, group, addresses: addressesOf(status) };
}

interface Call {
  readonly method: string;
  readonly params: object;
}

/** JSON-RPC 2.0, a line each; all the answers, in order. */
function ask(home: string, calls: readonly Call[], signal: AbortSignal): Promise<readonly unknown[]> {
  const path = gatewaySocket(home);
  return new Promise((resolve, reject) => {
    const answers = new Map<number, unknown>();
    const socket = createConnection(path);
    const end = (error: PipevineError | undefined) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', aborted);
      socket.destroy();
      if (error === undefined) resolve(calls.map((_, id) => answers.get(id)));
      else reject(error);
    };
    const aborted = () => end(new PipevineError('aborted', 'Nobody waits for the local gateway any more.'));
    const timer = setTimeout(
      () => end(new PipevineError('timeout', `The gateway at ${path} did not answer within ${TIMEOUT_MS / 1000} s.`)),
      TIMEOUT_MS,
    );
    signal.addEventListener('abort', aborted, { once: true });
    if (signal.aborted) aborted();
    let text = '';
    socket.setEncoding('utf8');
    socket.on('error', (error) => end(connectFailure(path, error)));
    socket.on('close', () => end(unexpected('an answer')));
    socket.on('connect', () => {
      for (const [id, call] of calls.entries()) socket.write(`${JSON.stringify({ jsonrpc: '2.0', id, ...call })}\n`);
    });
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > MAX_ANSWER_BYTES) return end(unexpected('a shorter answer'));
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      try {
        for (const line of lines) {
          const { id, result, error } = shape(JSON.parse(line));
          if (error !== undefined) throw refusal(error);
          if (typeof id === 'number') answers.set(id, result);
        }
      } catch (error) {
        return end(error instanceof PipevineError ? error : unexpected('JSON'));
      }
      if (calls.every((_, id) => answers.has(id))) end(undefined);
    });
  });
}

function connectFailure(path: string, cause: Error): PipevineError {
  if ('code' in cause && (cause.code === 'EACCES' || cause.code === 'EPERM')) {
    const message = `The gateway's socket ${path} belongs to somebody else; run Node-RED as the user who runs the gateway, or use a join code.`;
    return new PipevineError('permission-denied', message, { cause });
  }
  const message = `No gateway runs on this machine (nobody listens at ${path}); start one with \`pipevine up\`, or use a join code.`;
  return new PipevineError('unreachable', message, { cause });
}

function refusal(error: unknown): PipevineError {
  const { message, data } = shape(error);
  const { code } = shape(data);
  // The gateway's codes are ours; one of a later version is as good as any text to show.
  const known = typeof code === 'string' ? (code as ErrorCode) : 'refused';
  return new PipevineError(known, `The local gateway says: ${String(message)}`);
}

function addressesOf(status: unknown): EndpointAddress[] {
  const { addresses } = shape(status);
  return Array.isArray(addresses) ? addresses.filter((address) => typeof address === 'string') : [];
}

const shape = (value: unknown): Readonly<Record<string, unknown>> =>
  // An object, so each of its members is unknown or absent.
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

const unexpected = (wanted: string) =>
  new PipevineError(
    'protocol',
    `Expected ${wanted} of the local gateway, and something else came; is it of this version?`,
  );
