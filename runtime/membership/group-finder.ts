import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupId } from '../id/group-id.ts';
import type { WaitOptions } from '../pipe/pipe.ts';
import type { Crypto } from '../platform/crypto.ts';
import { type FoundGroup, findAt } from './join-client.ts';
import { MembershipSearch, type MembershipSearchInit } from './membership-search.ts';

/** How long groups are looked for, ms. */
export const FIND_GROUPS_TIMEOUT_MS = 3_000;
/** Groups found in one search; beyond it none are added. */
const MAX_FOUND = 256;

export interface FindGroupsInit extends WaitOptions, Omit<MembershipSearchInit, 'visit' | 'onError' | 'onIdle'> {
  /** Pattern with `*`; default: all. */
  readonly name?: string | undefined;
  readonly crypto: Crypto;
}

/**
 * Groups that want to be found and to which somebody in reach admits, each once, as they are found. Ends after `timeoutMs`
 * (default 3 s), or sooner where there is no local network to hear of others by. What fails is left out.
 */
export async function* findGroups(init: FindGroupsInit): AsyncIterable<FoundGroup> {
  const { name: pattern = '*', crypto, signal, timeoutMs = FIND_GROUPS_TIMEOUT_MS, ...search } = init;
  const seen = new Set<GroupId>();
  const found: FoundGroup[] = [];
  let over = false;
  let wake = (): void => undefined;
  const end = (): void => {
    over = true;
    wake();
  };
  const deadline = init.clock.setTimer(timeoutMs, end);
  signal?.addEventListener('abort', end);
  const searching = new MembershipSearch({
    ...search,
    visit: async (pipe, wait) => {
      for (const group of await findAt({ pipe, pattern, crypto, ...wait })) {
        if (seen.has(group.id) || seen.size >= MAX_FOUND) continue;
        seen.add(group.id);
        found.push(group);
      }
      wake();
    },
    onError: () => false,
    onIdle: () => init.local === undefined && end(),
  });
  try {
    if (signal?.aborted || (searching.idle && init.local === undefined)) end();
    for (;;) {
      for (let next = found.shift(); next !== undefined; next = found.shift()) yield next;
      if (over) break;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    if (signal?.aborted) throw new PipevineError('aborted', 'The search for groups was given up.');
  } finally {
    searching.close();
    deadline.cancel();
    signal?.removeEventListener('abort', end);
  }
}
