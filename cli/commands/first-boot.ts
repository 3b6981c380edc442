import { networkInterfaces } from 'node:os';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { applySetup, type JoinOutcome, joinByCard, serviceHost } from '@pipevine/boards';
import { type ErrorCode, PipevineError } from '@pipevine/runtime';
import type { Arguments } from '../arguments/command-spec.ts';
import { parseConfig } from '../config/config-file.ts';
import { ControlClient } from '../control/control-client.ts';
import type { Params } from '../control/json-rpc.ts';
import { JOIN_TIMEOUT_MS } from '../daemon/waiting.ts';
import { controlSocketOf } from '../home/control-socket.ts';
import { EXIT } from '../output/exit-code.ts';
import { type CommandContext, textOf } from './command-context.ts';

/** Beyond the daemon's own deadline: for one that hangs. */
const MARGIN_MS = 5_000;
/** What no further attempt with the same code can change. */
const FINAL: readonly ErrorCode[] = ['refused', 'expired', 'revoked', 'invalid-argument', 'unsupported'];

const now = () => ({ wallMs: Date.now(), monotonicMs: performance.now() });

/** Exits 0 whatever the setup file says: what is wrong with it stands in the journal and on the card. */
export async function apply({ output }: CommandContext, local: Arguments['local']): Promise<number> {
  const host = hostAt(local);
  const checkConfiguration = (text: string) => void parseConfig(text, 'pipevine.yaml');
  const applied = await applySetup({ host, checkConfiguration, now });
  for (const problem of applied.problems) output.notice(problem);
  output.value(applied, () => (applied.changed.length === 0 ? 'nothing to apply' : applied.changed.join(', ')));
  return EXIT.done;
}

export async function join(context: CommandContext, local: Arguments['local']): Promise<number> {
  const { output, signal } = context;
  const result = await joinByCard({
    root: hostAt(local).root,
    join: (code) => joinAtDaemon(context, code),
    hasNetwork,
    now,
    random: Math.random,
    // Aborted: over at once.
    sleep: (ms) => sleep(ms, undefined, { signal }).catch(() => {}),
    signal,
    notice: (text) => output.notice(text),
  });
  output.value({ result }, () => result);
  return EXIT.done;
}

async function joinAtDaemon({ settings, signal }: CommandContext, code: string): Promise<JoinOutcome> {
  let client: ControlClient | undefined;
  let known: { readonly peer?: string } = {};
  try {
    client = await ControlClient.connect(controlSocketOf(settings.home));
    if (client === undefined) return { type: 'no-daemon', reason: 'The service of Pipevine does not run.' };
    const status = (await client.call('status', {}, { timeoutMs: MARGIN_MS, signal })) as Params | null; // null: aborted
    known = { peer: textOf(status?.peer) };
    const timeoutMs = settings.timeoutMs ?? JOIN_TIMEOUT_MS;
    const params = { code, seeds: [], timeoutMs };
    const done = (await client.call('join', params, { timeoutMs: timeoutMs + MARGIN_MS, signal })) as Params | null; // as above
    if (done === null) return { type: 'unreached', reason: 'stopped', ...known };
    return { type: 'joined', group: textOf(done.groupName), ...known };
  } catch (error) {
    if (!(error instanceof PipevineError)) throw error;
    return { type: FINAL.includes(error.code) ? 'refused' : 'unreached', reason: error.message, ...known };
  } finally {
    client?.close();
  }
}

/** Commands are for the system that runs: on another one they would change the wrong machine. */
function hostAt(local: Arguments['local']): typeof serviceHost {
  const root = resolve(local.root?.[0] ?? '/');
  if (root !== '/') return { ...serviceHost, root, run: async () => ({ code: 127, output: 'not with --root' }) };
  if (process.getuid?.() === 0) return serviceHost;
  throw new PipevineError('refused', 'only root can set up a board; its service does: pipevine-first-boot.service');
}

function hasNetwork(): boolean {
  return Object.values(networkInterfaces())
    .flat()
    .some((address) => address?.internal === false && !/^(fe80:|169\.254\.)/.test(address.address));
}
