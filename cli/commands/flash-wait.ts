import { setTimeout as delay } from 'node:timers/promises';
import { PipevineError } from '@pipevine/runtime';
import type { Params } from '../control/json-rpc.ts';
import { type CommandContext, listFromDaemon, textOf } from './command-context.ts';

/** A board takes about a minute; before that the card has to get into it. */
const DEFAULT_WAIT_MS = 300_000;
const LOOK_MS = 2_000;

/** Waits for a peer that was not there when the watch began. */
export interface BoardWatch {
  /** The first new peer of that name. Rejects with `timeout`, and with `aborted` on Ctrl-C. */
  appeared(): Promise<Params>;
}

/** Rejects with `unreachable` when no peer runs here, before anything is written. */
export async function watchForBoard(context: CommandContext, name: string): Promise<BoardWatch> {
  const before = new Set((await peersOf(context)).map(({ id }) => textOf(id)));
  return { appeared: () => appeared(context, name, before) };
}

async function appeared(context: CommandContext, name: string, before: ReadonlySet<string>): Promise<Params> {
  const { signal, settings } = context;
  const waitMs = settings.timeoutMs ?? DEFAULT_WAIT_MS;
  const deadline = AbortSignal.timeout(waitMs);
  const either = AbortSignal.any([signal, deadline]);
  let fault = '';
  while (!either.aborted) {
    try {
      const peers = await peersOf({ ...context, signal: either });
      const found = peers.find((peer) => textOf(peer.name) === name && !before.has(textOf(peer.id)));
      if (found !== undefined) return found;
      fault = '';
    } catch (error) {
      // The own peer may be started anew meanwhile.
      if (!(error instanceof PipevineError)) throw error;
      fault = ` (the last look failed: ${error.message})`;
    }
    await delay(LOOK_MS, undefined, { signal: either }).catch(() => {});
  }
  if (signal.aborted) throw new PipevineError('aborted', 'the card is finished; nobody waits for the board any more');
  throw new PipevineError(
    'timeout',
    `the card is finished, but no new peer "${name}" was seen within ${waitMs / 1_000} s${fault}; its setup file on the boot partition says how far it came`,
  );
}

async function peersOf(context: CommandContext): Promise<readonly Params[]> {
  const peers: Params[] = [];
  for await (const peer of listFromDaemon(context, 'peers')) peers.push(peer);
  return peers;
}
