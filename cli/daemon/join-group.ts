import {
  type FoundGroup,
  type GroupId,
  type JoinOptions,
  type Peer,
  PipevineError,
  parseGroupId,
} from '@pipevine/runtime';
import { resolveName } from '../naming/resolve-name.ts';
import type { JsonObject } from './reports.ts';
import { JOIN_TIMEOUT_MS } from './waiting.ts';

/** What is joined: a group by a code, or by its id, with its password if it has one. */
export type JoinTarget = { readonly code: string } | { readonly group: string; readonly password?: string };

/** Long enough for a peer that has just started to find its neighbours. */
const FIND_GROUP_TIMEOUT_MS = 5_000;
/** Groups heard of in one search; more are no help to a person. */
export const MAX_FOUND_GROUPS = 1_024;

/** Whether a text is meant as a join code or link and not as the name of a group: groups of characters, or all 45. */
export function isCode(text: string): boolean {
  return /^(pipevine:\/\/join\/|b[a-z0-9]{44}$|b[a-z0-9]{4}([-\s][a-z0-9]{1,6}){4,})/i.test(text.trim());
}

/** The group that a name, an id or the beginning of either means: `{id, name, policy}`, the latter null if not known. */
export async function findGroup(peer: Peer, text: string, options: JoinOptions): Promise<JsonObject> {
  const found = new Map<GroupId, FoundGroup>();
  const id = groupIdOf(text);
  const own = id === undefined ? undefined : peer.group(id);
  if (own !== undefined) return { id: own.id, name: own.name, policy: own.policy.type };
  const timeoutMs = Math.min(options.timeoutMs ?? FIND_GROUP_TIMEOUT_MS, FIND_GROUP_TIMEOUT_MS);
  for await (const group of peer.findGroups({ ...options, timeoutMs })) {
    found.set(group.id, group);
    // Two groups may have one name; nothing that is still to come could make an id ambiguous.
    if (group.id === id || found.size >= MAX_FOUND_GROUPS) break;
  }
  // A group that is not shown can still be joined by who was told its id.
  if (id !== undefined && !found.has(id)) return { id, name: id, policy: null };
  const candidates = [...found.values()].map((group) => ({ name: group.name, ids: [group.id], group }));
  if (candidates.length === 0) {
    const message = `no group is shown nearby, so not "${text}" either; give its whole id, a join code, or --seed ADDR`;
    throw new PipevineError('not-found', message);
  }
  const { group } = resolveName('group', text, candidates, 'pipevine group list --nearby');
  return { id: group.id, name: group.name, policy: group.policy };
}

/** Joins or applies: `{state, group, groupName}`, when pending also `{have, needed}`. */
export async function joinGroup(peer: Peer, target: JoinTarget, options: JoinOptions): Promise<JsonObject> {
  const within = { timeoutMs: JOIN_TIMEOUT_MS, ...options };
  if ('code' in target) {
    const group = await peer.join(target.code, within);
    return { state: 'joined', group: group.id, groupName: group.name };
  }
  const id = parseGroupId(target.group);
  const { password } = target;
  const outcome = await peer.joinGroup(id, { ...within, ...(password === undefined ? {} : { password }) });
  if (outcome.state === 'joined') return { state: 'joined', group: id, groupName: outcome.group.name };
  const application = peer.applications.find(({ group }) => group === id);
  const { have, needed } = outcome;
  return { state: 'pending', group: id, groupName: application?.name ?? id, have, needed };
}

function groupIdOf(text: string): GroupId | undefined {
  try {
    return parseGroupId(text);
  } catch {
    return undefined;
  }
}
