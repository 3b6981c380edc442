import { describe, expect, it } from 'vitest';
import { flood, type LinkGraph } from './flooding.ts';

function graphOf(...links: readonly (readonly [string, string])[]): LinkGraph {
  const graph = new Map<string, Set<string>>();
  const add = (a: string, b: string) => graph.set(a, (graph.get(a) ?? new Set()).add(b));
  for (const [a, b] of links) {
    add(a, b);
    add(b, a);
  }
  return graph;
}

describe('flooding', () => {
  it('counts one message a hop on a line, there and back', () => {
    expect(flood(graphOf(['a', 'b'], ['b', 'c'], ['c', 'd']), 'a', 'd', 7)).toEqual({ messages: 6, found: true });
  });

  it('sends the query over both ways of a circle, and over the link where they meet twice', () => {
    expect(flood(graphOf(['a', 'b'], ['b', 'c'], ['c', 'a']), 'a', 'b', 7)).toEqual({ messages: 5, found: true });
  });

  it('reaches all of a star through its middle', () => {
    const star = graphOf(['m', 'a'], ['m', 'b'], ['m', 'c'], ['m', 'd']);
    expect(flood(star, 'a', 'd', 7)).toEqual({ messages: 1 + 3 + 2, found: true });
  });

  it('goes no further than its hops', () => {
    const line = graphOf(['a', 'b'], ['b', 'c'], ['c', 'd']);
    expect(flood(line, 'a', 'd', 2)).toEqual({ messages: 2, found: false });
  });
});
