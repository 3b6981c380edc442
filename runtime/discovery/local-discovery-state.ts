import type { PeerId } from '../id/peer-id.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import {
  ANNOUNCE_FIRST_MS,
  ANNOUNCE_MAX_MS,
  ANNOUNCE_SPACING_MS,
  ANSWER_DELAY_MS,
  ANSWER_JITTER_MS,
  DIAL_BURST,
  DIAL_REST_MS,
  DIALS_PER_SECOND,
  HEARD_LIFETIME_MS,
  HEARD_REFRESH_MS,
  MAX_DIAL_REST_MS,
  MAX_HEARD_PEERS,
  MAX_HOSTS_PER_PEER,
  MAX_LOCAL_NEIGHBOURS,
  QUERY_FIRST_MS,
  QUERY_MAX_MS,
  SPARE_GATEWAY_PLACES,
  START_JITTER_MS,
  YIELD_MS,
} from './local-discovery-defaults.ts';

/** A token refilled up to rounding: waiting for the rest could take less time than a clock can tell. */
const WHOLE_TOKEN = 1 - 1e-6;

/** What was heard of one peer. */
export interface HeardPeer {
  /** By the host that the announcement came from, the last heard at the end. */
  readonly hosts: ReadonlyMap<string, readonly EndpointAddress[]>;
  readonly gateway: boolean;
  readonly admits: boolean;
  /** Whether it shares a group with this peer. */
  readonly shared: boolean;
  readonly heardAtMs: number;
  /** Not dialled before; Infinity while a dial is under way. */
  readonly dialAtMs: number;
  readonly failures: number;
}

export interface LocalDiscoveryState {
  readonly self: PeerId;
  readonly listens: boolean;
  /** Whether this peer admits members to a group. */
  readonly admits: boolean;
  /** Maps are in the order in which peers were last heard. */
  readonly heard: ReadonlyMap<PeerId, HeardPeer>;
  /** Neighbours with a link now that share a group: whether each is a gateway. */
  readonly neighbours: ReadonlyMap<PeerId, boolean>;
  readonly announceAtMs: number;
  readonly announcePauseMs: number;
  readonly announcedAtMs: number;
  /** Infinity while there is a neighbour, or no reason to look for one. */
  readonly queryAtMs: number;
  readonly queryPauseMs: number;
  /** Whether there is a group to look for, or a code to join by. */
  readonly searching: 'group' | 'code' | 'nothing';
  readonly dialTokens: number;
  readonly refilledAtMs: number;
  /** Peers forgotten to make room, and dials put off because packets asked for too many. */
  readonly forgotten: number;
  readonly postponed: number;
}

export type LocalDiscoveryInput =
  | {
      readonly type: 'heard';
      readonly message: 'announce' | 'query' | 'leaving';
      readonly peer: PeerId;
      readonly host: string;
      readonly addresses: readonly EndpointAddress[];
      readonly gateway: boolean;
      readonly admits: boolean;
      readonly shared: boolean;
    }
  | { readonly type: 'link-up'; readonly peer: PeerId }
  | { readonly type: 'link-down'; readonly peer: PeerId }
  | { readonly type: 'dial-failed'; readonly peer: PeerId }
  /** Own addresses, groups or interfaces are others than before. */
  | ({ readonly type: 'changed' } & Pick<LocalDiscoveryState, 'listens' | 'admits' | 'searching'>)
  | { readonly type: 'tick' };

export type LocalDiscoveryEffect =
  | { readonly type: 'announce' }
  | { readonly type: 'query' }
  | { readonly type: 'dial'; readonly peer: PeerId; readonly addresses: readonly EndpointAddress[] };

export interface LocalDiscoveryStep {
  readonly state: LocalDiscoveryState;
  readonly effects: readonly LocalDiscoveryEffect[];
}

/** `fraction` is a fresh random number in [0, 1). Times are monotonic ms. */
export function startLocalDiscovery(
  init: Pick<LocalDiscoveryState, 'self' | 'listens' | 'admits' | 'searching'>,
  nowMs: number,
  fraction: number,
): LocalDiscoveryState {
  const firstMs = nowMs + fraction * START_JITTER_MS;
  return {
    ...init,
    heard: new Map(),
    neighbours: new Map(),
    announceAtMs: firstMs,
    announcePauseMs: ANNOUNCE_FIRST_MS,
    announcedAtMs: Number.NEGATIVE_INFINITY,
    queryAtMs: init.searching === 'nothing' ? Infinity : firstMs,
    queryPauseMs: QUERY_FIRST_MS,
    dialTokens: DIAL_BURST,
    refilledAtMs: nowMs,
    forgotten: 0,
    postponed: 0,
  };
}

/** Pure: what one input changes, and what is to be done for it. */
export function stepLocalDiscovery(
  before: LocalDiscoveryState,
  input: LocalDiscoveryInput,
  nowMs: number,
  fraction: number,
): LocalDiscoveryStep {
  const state = take(before, input, nowMs, fraction);
  // What is due by time alone comes with the tick.
  if (state === before && input.type !== 'tick') return { state, effects: [] };
  const effects: LocalDiscoveryEffect[] = [];
  return { state: dial(sendDue(state, nowMs, fraction, effects), nowMs, effects), effects };
}

/** When `tick` is due. */
export function nextLocalDiscoveryDeadline(state: LocalDiscoveryState): number {
  let deadline = Math.min(state.announceAtMs, state.queryAtMs);
  const places = freePlaces(state);
  const tokenMs = nextTokenMs(state);
  for (const [peer, heard] of state.heard) {
    if (heard.dialAtMs < deadline && isCandidate(state, peer, heard, places)) {
      deadline = Math.min(deadline, Math.max(heard.dialAtMs, tokenMs));
    }
  }
  return deadline;
}

/** Everything heard of a peer, as it can be dialled, newest first. */
export function addressesHeard({ hosts }: HeardPeer): EndpointAddress[] {
  return [...new Set([...hosts.values()].reverse().flat())].slice(0, 16);
}

function take(
  state: LocalDiscoveryState,
  input: LocalDiscoveryInput,
  nowMs: number,
  fraction: number,
): LocalDiscoveryState {
  switch (input.type) {
    case 'heard':
      return input.peer === state.self ? state : hear(state, input, nowMs, fraction);
    case 'link-up': {
      const heard = state.heard.get(input.peer);
      const restored = heard && { ...heard, dialAtMs: nowMs, failures: 0 };
      const next = restored === undefined ? state : withHeard(state, input.peer, restored);
      if (heard?.shared !== true) return next;
      const neighbours = new Map(state.neighbours).set(input.peer, heard.gateway);
      const queryAtMs = state.searching === 'code' ? state.queryAtMs : Infinity;
      return { ...next, neighbours, queryAtMs, queryPauseMs: QUERY_FIRST_MS };
    }
    case 'link-down': {
      if (!state.neighbours.has(input.peer)) return state;
      const neighbours = new Map(state.neighbours);
      neighbours.delete(input.peer);
      return searchAgain({ ...state, neighbours }, nowMs, fraction);
    }
    case 'dial-failed': {
      const heard = state.heard.get(input.peer);
      if (heard === undefined) return state;
      const restMs = Math.min(DIAL_REST_MS * 2 ** heard.failures, MAX_DIAL_REST_MS) * (0.75 + 0.5 * fraction);
      const next = { ...heard, dialAtMs: nowMs + restMs, failures: heard.failures + 1 };
      return withHeard(state, input.peer, next);
    }
    case 'changed': {
      const { listens, admits, searching } = input;
      const atMs = Math.max(nowMs, state.announcedAtMs + ANNOUNCE_SPACING_MS) + fraction * START_JITTER_MS;
      const announced = {
        ...state,
        listens,
        admits,
        searching,
        announceAtMs: atMs,
        announcePauseMs: ANNOUNCE_FIRST_MS,
      };
      return searching === 'nothing'
        ? { ...announced, queryAtMs: Infinity }
        : { ...announced, queryAtMs: atMs, queryPauseMs: QUERY_FIRST_MS };
    }
    case 'tick':
      return state;
  }
}

function hear(
  state: LocalDiscoveryState,
  input: LocalDiscoveryInput & { type: 'heard' },
  nowMs: number,
  fraction: number,
): LocalDiscoveryState {
  const { peer, host, addresses, gateway, admits, shared } = input;
  if (input.message === 'leaving') {
    // Forged or not, it takes no link away; at worst the next announce brings the peer back.
    const heard = new Map(state.heard);
    heard.delete(peer);
    return { ...state, heard };
  }
  // Whoever shares no group and cannot be admitted here has no use for the answer.
  const answered = input.message === 'query' && (shared || state.admits) ? answer(state, nowMs, fraction) : state;
  const known = state.heard.get(peer);
  if (known !== undefined && saysNothingNew(known, input, nowMs)) return answered;
  const hosts = new Map(known?.hosts);
  hosts.delete(host);
  hosts.set(host, addresses);
  for (const other of hosts.keys()) {
    if (hosts.size <= MAX_HOSTS_PER_PEER) break;
    hosts.delete(other);
  }
  const yieldMs = state.listens && peer < state.self ? YIELD_MS : 0;
  const next: HeardPeer = {
    hosts,
    gateway,
    admits,
    shared,
    heardAtMs: nowMs,
    dialAtMs: known?.dialAtMs ?? nowMs + yieldMs,
    failures: known?.failures ?? 0,
  };
  const heard = new Map(state.heard);
  // Strangers' chatter is remembered only while somebody is looked for among them.
  const matters = shared || admits;
  heard.delete(peer);
  if (matters) heard.set(peer, next);
  const forgotten = state.forgotten + makeRoom(heard, nowMs);
  return { ...answered, heard, forgotten };
}

/** Most packets repeat what was heard a moment ago; they cost next to nothing. */
function saysNothingNew(known: HeardPeer, input: LocalDiscoveryInput & { type: 'heard' }, nowMs: number): boolean {
  const addresses = known.hosts.get(input.host);
  return (
    nowMs - known.heardAtMs < HEARD_REFRESH_MS &&
    known.gateway === input.gateway &&
    known.admits === input.admits &&
    known.shared === input.shared &&
    addresses?.length === input.addresses.length &&
    addresses.every((address, index) => address === input.addresses[index])
  );
}

/** Drops what expired, then strangers before members, oldest first; returns how many were dropped before their time. */
function makeRoom(heard: Map<PeerId, HeardPeer>, nowMs: number): number {
  for (const [peer, { heardAtMs }] of heard) {
    if (nowMs - heardAtMs <= HEARD_LIFETIME_MS) break;
    heard.delete(peer);
  }
  if (heard.size <= MAX_HEARD_PEERS) return 0;
  const [oldest] = heard.keys();
  const stranger = [...heard].find(([, { shared }]) => !shared)?.[0] ?? oldest;
  if (stranger !== undefined) heard.delete(stranger);
  return 1;
}

function answer(state: LocalDiscoveryState, nowMs: number, fraction: number): LocalDiscoveryState {
  const earliestMs = Math.max(nowMs + ANSWER_DELAY_MS, state.announcedAtMs + ANNOUNCE_SPACING_MS);
  return { ...state, announceAtMs: Math.min(state.announceAtMs, earliestMs + fraction * ANSWER_JITTER_MS) };
}

function searchAgain(state: LocalDiscoveryState, nowMs: number, fraction: number): LocalDiscoveryState {
  if (!isSearching(state) || state.queryAtMs !== Infinity) return state;
  return { ...state, queryAtMs: nowMs + fraction * START_JITTER_MS, queryPauseMs: QUERY_FIRST_MS };
}

function isSearching({ searching, neighbours }: LocalDiscoveryState): boolean {
  return searching === 'code' || (searching === 'group' && neighbours.size === 0);
}

function sendDue(
  state: LocalDiscoveryState,
  nowMs: number,
  fraction: number,
  effects: LocalDiscoveryEffect[],
): LocalDiscoveryState {
  let next = state;
  if (nowMs >= next.queryAtMs) {
    effects.push({ type: 'query' });
    const queryAtMs = isSearching(next) ? nowMs + next.queryPauseMs * (0.75 + 0.5 * fraction) : Infinity;
    const queryPauseMs = Math.min(2 * next.queryPauseMs, QUERY_MAX_MS);
    next = { ...next, queryAtMs, queryPauseMs, announcedAtMs: nowMs };
  }
  if (nowMs >= next.announceAtMs) {
    // A query says all that an announce says.
    if (effects.length === 0) effects.push({ type: 'announce' });
    const announceAtMs = nowMs + next.announcePauseMs * (0.9 + 0.2 * fraction);
    const announcePauseMs = Math.min(2 * next.announcePauseMs, ANNOUNCE_MAX_MS);
    next = { ...next, announceAtMs, announcePauseMs, announcedAtMs: nowMs };
  }
  return next;
}

function dial(state: LocalDiscoveryState, nowMs: number, effects: LocalDiscoveryEffect[]): LocalDiscoveryState {
  const tokens = Math.min(
    DIAL_BURST,
    state.dialTokens + (Math.max(0, nowMs - state.refilledAtMs) * DIALS_PER_SECOND) / 1000,
  );
  const places = freePlaces(state);
  const due: [PeerId, HeardPeer][] = [];
  for (const [peer, heard] of state.heard) {
    if (heard.dialAtMs <= nowMs && isCandidate(state, peer, heard, places)) due.push([peer, heard]);
  }
  if (due.length === 0) return { ...state, dialTokens: tokens, refilledAtMs: nowMs };
  due.sort(([, a], [, b]) => Number(b.gateway) - Number(a.gateway));
  const heard = new Map(state.heard);
  let { postponed } = state;
  let left = tokens;
  let taken = 0;
  for (const [peer, candidate] of due) {
    if (taken >= places + (candidate.gateway ? SPARE_GATEWAY_PLACES : 0)) continue;
    if (left < WHOLE_TOKEN) {
      postponed++;
      break;
    }
    left = Math.max(0, left - 1);
    taken++;
    effects.push({ type: 'dial', peer, addresses: addressesHeard(candidate) });
    heard.set(peer, { ...candidate, dialAtMs: Infinity });
  }
  return { ...state, heard, postponed, dialTokens: left, refilledAtMs: nowMs };
}

/** Places for neighbours that are no gateways; negative when gateways have taken spare ones. */
function freePlaces(state: LocalDiscoveryState): number {
  let used = state.neighbours.size;
  for (const { dialAtMs } of state.heard.values()) if (dialAtMs === Infinity) used++;
  return MAX_LOCAL_NEIGHBOURS - used;
}

/** Whether a peer is worth a dial, and there is a place for it. */
function isCandidate(state: LocalDiscoveryState, peer: PeerId, heard: HeardPeer, places: number): boolean {
  if (!heard.shared || state.neighbours.has(peer)) return false;
  if (places + (heard.gateway ? SPARE_GATEWAY_PLACES : 0) <= 0) return false;
  for (const addresses of heard.hosts.values()) if (addresses.length > 0) return true;
  return false;
}

function nextTokenMs(state: LocalDiscoveryState): number {
  return state.dialTokens >= WHOLE_TOKEN
    ? state.refilledAtMs
    : state.refilledAtMs + ((1 - state.dialTokens) * 1000) / DIALS_PER_SECOND;
}

function withHeard(state: LocalDiscoveryState, peer: PeerId, heard: HeardPeer): LocalDiscoveryState {
  return { ...state, heard: new Map(state.heard).set(peer, heard) };
}
