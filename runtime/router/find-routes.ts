import type { PeerId } from '../id/peer-id.ts';

export interface FindRoutesInit {
  /** Relays that can be had at once, best first. */
  readonly starts: readonly PeerId[];
  readonly target: PeerId;
  /** Relays that say, or of which the target says, that they can pass to it. */
  readonly ends: readonly PeerId[];
  /** Relays that one says to be linked to. Asked once for each peer. */
  readonly neighboursOf: (relay: PeerId) => readonly PeerId[];
  /** Never on a way: the peer that asks, and whoever speaks for the target. */
  readonly excluded: ReadonlySet<PeerId>;
  /** What a hop costs besides itself, where a whole one costs HOP_COST; Infinity: not to be taken. */
  readonly costOf: (near: PeerId, far: PeerId) => number;
  /** Relays on a way at most. */
  readonly maxHops: number;
  readonly maxRoutes: number;
  /** Peers whose neighbours are asked for at most. */
  readonly maxExplored: number;
}

export const HOP_COST = 1_000;

/** For the hops of a way that was found: the next should be another. */
const AGAIN_COST = 1_500;

/** For each start that is better: decides between ways that are equal otherwise. */
const RANK_COST = 1;

interface Step {
  readonly relay: PeerId;
  readonly cost: number;
  readonly before: Step | undefined;
}

/** From each relay the hops that exist, and what each costs now. */
type HopCosts = Map<PeerId, Map<PeerId, number>>;

/**
 * Ways over relays to a peer, each without any peer twice, cheapest first, with few hops in common. A hop between two relays
 * exists when one of them names the other. Costs at most `maxRoutes * 2 * maxHops` passes over what was explored.
 */
export function findRoutes(init: FindRoutesInit): readonly (readonly PeerId[])[] {
  const { target, starts, ends, maxHops, maxRoutes } = init;
  const isFree = (relay: PeerId): boolean => relay !== target && !init.excluded.has(relay);
  const own = (near: PeerId, far: PeerId): number => HOP_COST + Math.max(0, init.costOf(near, far));
  const graph = explore(init, isFree, own);
  const first = new Map([...new Set(starts)].filter(isFree).map((relay, i) => [relay, i * RANK_COST]));
  const ranks = new Map(first);
  const last = new Map(ends.filter(isFree).map((relay) => [relay, own(relay, target)]));
  const found = new Map<string, { readonly route: readonly PeerId[]; readonly cost: number }>();
  for (let i = 0; i < 2 * maxRoutes && found.size < maxRoutes; i++) {
    const best = cheapest(first, last, graph, maxHops);
    const start = best?.[0];
    if (best === undefined || start === undefined) break;
    const hops = best.map((relay, j) => [relay, best[j + 1] ?? target] as const);
    const cost = hops.reduce((total, [near, far]) => total + own(near, far), ranks.get(start) ?? 0);
    found.set(best.join(' '), { route: best, cost });
    raise(first, start);
    for (const [near, far] of hops) raise(far === target ? last : graph.get(near), far === target ? near : far);
  }
  return [...found.values()].sort((a, b) => a.cost - b.cost).map(({ route }) => route);
}

function raise(costs: Map<PeerId, number> | undefined, relay: PeerId): void {
  costs?.set(relay, (costs.get(relay) ?? 0) + AGAIN_COST);
}

/** What relays say about each other, from both ends inwards. */
function explore(
  { starts, ends, neighboursOf, maxHops, maxExplored }: FindRoutesInit,
  isFree: (relay: PeerId) => boolean,
  costOf: (near: PeerId, far: PeerId) => number,
): HopCosts {
  const graph: HopCosts = new Map();
  const explored = new Set<PeerId>();
  const link = (a: PeerId, b: PeerId): void => {
    let hops = graph.get(a);
    if (hops === undefined) {
      hops = new Map();
      graph.set(a, hops);
    }
    if (!hops.has(b)) hops.set(b, costOf(a, b));
  };
  let edge = [...new Set([...ends, ...starts])].filter(isFree);
  for (let depth = 1; depth < maxHops && edge.length > 0; depth++) {
    const next = new Set<PeerId>();
    for (const relay of edge) {
      if (explored.size >= maxExplored) return graph;
      explored.add(relay);
      for (const other of neighboursOf(relay)) {
        if (other === relay || !isFree(other)) continue;
        link(relay, other);
        link(other, relay);
        next.add(other);
      }
    }
    edge = [...next].filter((relay) => !explored.has(relay));
  }
  return graph;
}

/**
 * The cheapest way: for each number of hops the cheapest to each relay. Each hop costs something, so that the cheapest of
 * all cannot pass a relay twice. `starts`, `ends`: what it costs to begin with a relay, and to go on from one to the target.
 */
function cheapest(
  starts: ReadonlyMap<PeerId, number>,
  ends: ReadonlyMap<PeerId, number>,
  graph: HopCosts,
  maxHops: number,
): readonly PeerId[] | undefined {
  let best: Step | undefined;
  let bestCost = Infinity;
  let steps = new Map<PeerId, Step>();
  for (const [relay, cost] of starts) steps.set(relay, { relay, cost, before: undefined });
  for (let hop = 1; hop <= maxHops; hop++) {
    for (const step of steps.values()) {
      const whole = step.cost + (ends.get(step.relay) ?? Infinity);
      if (whole < bestCost) [best, bestCost] = [step, whole];
    }
    const next = new Map<PeerId, Step>();
    for (const before of hop < maxHops ? steps.values() : []) {
      for (const [relay, cost] of graph.get(before.relay) ?? []) {
        const sum = before.cost + cost;
        if (sum < bestCost && sum < (next.get(relay)?.cost ?? Infinity)) next.set(relay, { relay, cost: sum, before });
      }
    }
    steps = next;
  }
  const route: PeerId[] = [];
  for (let step = best; step !== undefined; step = step.before) route.unshift(step.relay);
  return best && route;
}
