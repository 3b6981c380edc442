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

/**
 * Ways over relays to a peer, each without any peer twice, cheapest first, with few hops in common. A hop between two relays
 * exists when one of them names the other. Costs at most `maxRoutes * 2 * maxHops` passes over what was explored.
 */
export function findRoutes(init: FindRoutesInit): readonly (readonly PeerId[])[] {
  const { target, starts, ends, maxHops, maxRoutes } = init;
  const isFree = (relay: PeerId): boolean => relay !== target && !init.excluded.has(relay);
  const graph = explore(init, isFree);
  const taken = new Map<string, number>();
  const found = new Map<string, { readonly route: readonly PeerId[]; readonly cost: number }>();
  const first = [...new Set(starts)].filter(isFree);
  const last = new Set(ends.filter(isFree));
  const own = (near: PeerId, far: PeerId): number => HOP_COST + Math.max(0, init.costOf(near, far));
  const cost = (near: PeerId, far: PeerId): number => own(near, far) + (taken.get(`${near} ${far}`) ?? 0);
  for (let i = 0; i < 2 * maxRoutes && found.size < maxRoutes; i++) {
    const best = cheapest(first, last, target, graph, cost, (start) => taken.get(start) ?? 0, maxHops);
    if (best === undefined) break;
    const name = best.join(' ');
    const hops = best.map((relay, j) => [relay, best[j + 1] ?? target] as const);
    const rank = first.indexOf(best[0] ?? target) * RANK_COST;
    const sum = hops.reduce((total, [near, far]) => total + own(near, far), rank);
    found.set(name, { route: best, cost: sum });
    const again = (key: string): void => void taken.set(key, (taken.get(key) ?? 0) + AGAIN_COST);
    for (const start of best.slice(0, 1)) again(start);
    for (const [near, far] of hops) again(`${near} ${far}`);
  }
  return [...found.values()].sort((a, b) => a.cost - b.cost).map(({ route }) => route);
}

/** What relays say about each other, from both ends inwards. */
function explore(
  { starts, ends, neighboursOf, maxHops, maxExplored }: FindRoutesInit,
  isFree: (relay: PeerId) => boolean,
): ReadonlyMap<PeerId, ReadonlySet<PeerId>> {
  const graph = new Map<PeerId, Set<PeerId>>();
  const explored = new Set<PeerId>();
  const link = (a: PeerId, b: PeerId): void => {
    const known = graph.get(a) ?? new Set();
    graph.set(a, known.add(b));
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
 * all cannot pass a relay twice.
 */
function cheapest(
  starts: readonly PeerId[],
  ends: ReadonlySet<PeerId>,
  target: PeerId,
  graph: ReadonlyMap<PeerId, ReadonlySet<PeerId>>,
  cost: (near: PeerId, far: PeerId) => number,
  startCost: (start: PeerId) => number,
  maxHops: number,
): readonly PeerId[] | undefined {
  let best: Step | undefined;
  let bestCost = Infinity;
  let steps = new Map<PeerId, Step>();
  for (const [i, relay] of starts.entries()) {
    steps.set(relay, { relay, cost: i * RANK_COST + startCost(relay), before: undefined });
  }
  for (let hop = 1; hop <= maxHops; hop++) {
    for (const step of steps.values()) {
      if (!ends.has(step.relay)) continue;
      const whole = step.cost + cost(step.relay, target);
      if (whole < bestCost) [best, bestCost] = [step, whole];
    }
    const next = new Map<PeerId, Step>();
    for (const before of hop < maxHops ? steps.values() : []) {
      for (const relay of graph.get(before.relay) ?? []) {
        const sum = before.cost + cost(before.relay, relay);
        if (sum < bestCost && sum < (next.get(relay)?.cost ?? Infinity)) next.set(relay, { relay, cost: sum, before });
      }
    }
    steps = next;
  }
  const route: PeerId[] = [];
  for (let step = best; step !== undefined; step = step.before) route.unshift(step.relay);
  return best && route;
}
