import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NamedPipes, PeerGroup } from '@pipevine/runtime';
import { runCommandLine } from '../command-line.ts';
import { ADMINISTRATOR_COMMANDS } from '../commands/administrator-commands.ts';
import { MAILBOX_COMMANDS } from '../commands/mailbox-commands.ts';
import type { ControlMethods } from '../control/control-server.ts';
import { ControlServer } from '../control/control-server.ts';
import { type ControlledDaemon, controlMethods } from '../daemon/control-methods.ts';
import { moreMethods } from '../daemon/more-methods.ts';
import { controlSocketOf } from '../home/control-socket.ts';
import type { Input } from '../input/input.ts';
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

  static async start(
    peer = new FakePeer(),
    further: ControlMethods = {},
    pipes?: (group: PeerGroup) => NamedPipes,
  ): Promise<RunningDaemon> {
    const home = mkdtempSync(join(tmpdir(), 'pipevine-cli-'));
    const controlled: ControlledDaemon = {
      peer,
      facts: { profile: 'gateway', version: '0.1.0', pid: process.pid, home },
      status: () => ({ facts: { memoryBytes: 50_000_000 }, queues: {} }),
      joined: async (seeds) => {
        peer.calls.push(`joined by ${seeds.join(' ')}`);
      },
      explain: (id) => peer.explain(id),
      stop: () => {},
      ...(pipes === undefined ? {} : { pipes }),
    };
    const methods = { ...controlMethods(controlled), ...moreMethods(controlled) };
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

  /** Runs one command at a terminal, where these answers are typed. */
  async runAsked(answers: readonly string[], ...args: string[]): Promise<CommandResult & { readonly asked: string[] }> {
    const asked: string[] = [];
    const waiting = [...answers];
    const input: Input = {
      interactive: true,
      ask: async (question, options) => {
        asked.push(options?.secret === true ? `(secret) ${question}` : question);
        return waiting.shift() ?? '';
      },
      firstLine: async () => 'sesame',
      chunks: async function* () {},
    };
    return { ...(await runAt(this.home, args, { input })), asked };
  }

  async stop(): Promise<void> {
    await this.#server.close();
    rmSync(this.home, { recursive: true, force: true });
  }
}

export interface RunOptions {
  readonly signal?: AbortSignal;
  readonly onOut?: (text: string) => void;
  readonly input?: Input;
  /** The command line of a build for edges. */
  readonly edge?: boolean;
}

/** Runs one command with a home, whether a daemon is there or not. */
export async function runAt(
  home: string,
  args: readonly string[],
  { signal, onOut, input, edge = false }: RunOptions = {},
): Promise<CommandResult> {
  let out = '';
  let err = '';
  const code = await runCommandLine(args, {
    env: { PIPEVINE_HOME: home },
    out: {
      write: (given) => {
        const text = typeof given === 'string' ? given : Buffer.from(given).toString('latin1');
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
    ...(input === undefined ? {} : { input }),
    ...(edge
      ? {}
      : {
          moreCommands: {
            commands: [...ADMINISTRATOR_COMMANDS, ...MAILBOX_COMMANDS],
            loadMethods: async () => moreMethods,
          },
        }),
  });
  return { code, out, err };
}
