import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommandLine } from '../command-line.ts';
import type { ControlMethods } from '../control/control-server.ts';
import { ControlServer } from '../control/control-server.ts';
import { controlMethods } from '../daemon/control-methods.ts';
import { controlSocketOf } from '../home/control-socket.ts';
import { FakePeer } from './fake-peer.ts';

export interface CommandResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A control socket with a fake peer behind it, and the command line in front of it. */
export class RunningDaemon {
  readonly home: string;
  readonly peer: FakePeer;
  readonly #server: ControlServer;

  private constructor(home: string, peer: FakePeer, server: ControlServer) {
    this.home = home;
    this.peer = peer;
    this.#server = server;
  }

  static async start(peer = new FakePeer(), further: ControlMethods = {}): Promise<RunningDaemon> {
    const home = mkdtempSync(join(tmpdir(), 'pipevine-cli-'));
    const methods = controlMethods({
      peer,
      facts: { profile: 'gateway', version: '0.1.0', pid: process.pid, home },
      status: () => ({ facts: { memoryBytes: 50_000_000 }, queues: {} }),
      joined: async (seeds) => {
        peer.calls.push(`joined by ${seeds.join(' ')}`);
      },
      stop: () => {},
    });
    const server = await ControlServer.listen(controlSocketOf(home), { ...methods, ...further });
    return new RunningDaemon(home, peer, server);
  }

  get status() {
    return this.#server.status;
  }

  /** Runs one command against this daemon. */
  async run(...args: string[]): Promise<CommandResult> {
    return runAt(this.home, args);
  }

  async stop(): Promise<void> {
    await this.#server.close();
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** Runs one command with a home, whether a daemon is there or not. */
export async function runAt(
  home: string,
  args: readonly string[],
  signal?: AbortSignal,
  onOut?: (text: string) => void,
): Promise<CommandResult> {
  let out = '';
  let err = '';
  const code = await runCommandLine(args, {
    env: { PIPEVINE_HOME: home },
    out: {
      write: (text) => {
        out += text;
        onOut?.(text);
      },
    },
    err: {
      write: (text) => {
        err += text;
      },
    },
    signal: signal ?? new AbortController().signal,
    drawQrCode: async (text) => `[QR of ${text}]`,
  });
  return { code, out, err };
}
