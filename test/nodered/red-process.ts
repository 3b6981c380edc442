import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const HOST = fileURLToPath(new URL('red-host.mjs', import.meta.url));
const START_TIMEOUT_MS = 60_000;

/** A Node-RED with editor and HTTP, in a process of its own. */
export interface RedProcess extends AsyncDisposable {
  readonly url: string;
  readonly process: ChildProcess;
  /** What it has written so far. */
  output(): string;
  get<T>(path: string): Promise<T>;
  /** Deploys; resolves when Node-RED has taken it. */
  deploy(flows: readonly object[], type?: 'full' | 'nodes' | 'flows'): Promise<void>;
  /** In good order. */
  stop(): Promise<void>;
  /** As an operating system does. Resolves once it has ended. */
  terminate(): Promise<void>;
  /** As a power cut would. */
  kill(): Promise<void>;
}

/** `red` is the name of an installed package: `node-red` or `node-red-4`. */
export async function startRed(red: string, userDir: string, env: NodeJS.ProcessEnv = {}): Promise<RedProcess> {
  const child = fork(HOST, [red, userDir], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    execArgv: [],
    env: { ...process.env, ...env },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      output = (output + chunk).slice(-100_000);
    });
  }
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const port = await new Promise<number>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${red} did not start within ${START_TIMEOUT_MS / 1000} s:\n${output}`));
    }, START_TIMEOUT_MS);
    child.once('message', (message: { readonly port: number }) => {
      clearTimeout(timer);
      resolve(message.port);
    });
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`${red} ended with ${code}:\n${output}`));
    });
  });
  const url = `http://127.0.0.1:${port}`;
  const answer = async (response: Response) => {
    if (!response.ok) throw new Error(`${response.url}: ${response.status} ${await response.text()}`);
    return response;
  };
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.send('stop');
    const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
    await exited;
    clearTimeout(timer);
  };
  return {
    url,
    process: child,
    output: () => output,
    get: async <T>(path: string) => {
      const response = await answer(await fetch(url + path, { headers: { accept: 'application/json' } }));
      // The caller knows what it asked for.
      return (await response.json()) as T;
    },
    deploy: async (flows, type = 'full') => {
      const headers = {
        'content-type': 'application/json',
        'Node-RED-API-Version': 'v2',
        'Node-RED-Deployment-Type': type,
      };
      await answer(await fetch(`${url}/flows`, { method: 'POST', headers, body: JSON.stringify({ flows }) }));
    },
    stop,
    terminate: async () => {
      child.kill('SIGTERM');
      await exited;
    },
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
    },
    [Symbol.asyncDispose]: stop,
  };
}
