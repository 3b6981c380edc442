/** Who is linked to whom, in both directions. */
export type LinkGraph = ReadonlyMap<string, ReadonlySet<string>>;

export interface FloodingResult {
  /** Queries sent over a link, and answers on their way back, hop by hop. */
  readonly messages: number;
  readonly found: boolean;
}

/**
 * What a search by plain flooding costs (Gnutella 0.4): every peer that gets the query for the first time sends it to all
 * its neighbours but the one it came from, until it has taken `ttlHops` hops; the holder answers on the way back.
 */
export function flood(graph: LinkGraph, from: string, holder: string, ttlHops: number): FloodingResult {
  const hopsTo = new Map([[from, 0]]);
  let edge = [from];
  let messages = 0;
  for (let hops = 1; hops <= ttlHops && edge.length > 0; hops++) {
    const next: string[] = [];
    for (const peer of edge) {
      const neighbours = graph.get(peer) ?? new Set();
      // The asker has nobody whom it spares.
      messages += peer === from ? neighbours.size : neighbours.size - 1;
      for (const neighbour of neighbours) {
        if (hopsTo.has(neighbour)) continue;
        hopsTo.set(neighbour, hops);
        next.push(neighbour);
      }
    }
    edge = next;
  }
  const distance = hopsTo.get(holder);
  return { messages: messages + (distance ?? 0), found: distance !== undefined };
}
