import type { AdminRequest } from './admin-route.ts';
import { chosenGroup } from './chosen-session.ts';
import { collected, SEARCH_TIMEOUT_MS } from './collected.ts';

export interface ListedPipe {
  readonly name: string;
  readonly kind: string;
  readonly peer: string;
}

/** `{standIn, pipes}`: the pipes that somebody listens under, by name. `?kind=` narrows it to one kind. */
export async function listPipes(
  request: AdminRequest,
): Promise<{ readonly standIn: boolean; readonly pipes: readonly ListedPipe[] }> {
  const { group, standIn } = await chosenGroup(request);
  const search = group.namedPipes.find({}, { timeoutMs: SEARCH_TIMEOUT_MS, signal: request.signal });
  const all = await collected(search, ({ name, kind, peer }) => ({ name, kind, peer }));
  const { kind } = request.query;
  const pipes = typeof kind === 'string' && kind !== '' ? all.filter((pipe) => pipe.kind === kind) : all;
  return { standIn, pipes: pipes.sort((a, b) => a.name.localeCompare(b.name)) };
}
