import type { WaitOptions } from '@pipevine/runtime';
import type { ControlContext } from '../control/control-server.ts';

/** How long a command looks for things, peers and groups beyond what is known already. */
const FIND_TIMEOUT_MS = 2_000;
/** Joining includes finding an administrator on the local network. */
export const JOIN_TIMEOUT_MS = 15_000;

/** Longer than the answer of one neighbour takes; a dead one does not hold up every command. */
export const findTimeout = (timeoutMs: number | undefined) => Math.min(timeoutMs ?? FIND_TIMEOUT_MS, FIND_TIMEOUT_MS);

/** Until the client gives up, or its deadline; without one that of what is waited for. */
export function waiting(context: ControlContext, timeoutMs: number | undefined): WaitOptions {
  return { signal: context.signal, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
}
