import type { FlowNode } from '../../testing/flow-test.ts';

/** A node `p` on a tab, with helpers for what it sends (`out`), completes (`completed`) and fails with (`caught`). */
export function watchedNode(node: Readonly<Record<string, unknown>> & { readonly type: string }): FlowNode[] {
  return [
    { id: 't', type: 'tab' },
    { id: 'p', z: 't', peer: 'a', wires: [['out']], ...node },
    { id: 'out', z: 't', type: 'helper' },
    { id: 'completer', z: 't', type: 'complete', scope: ['p'], uncaught: false, wires: [['completed']] },
    { id: 'completed', z: 't', type: 'helper' },
    { id: 'catcher', z: 't', type: 'catch', scope: ['p'], uncaught: false, wires: [['caught']] },
    { id: 'caught', z: 't', type: 'helper' },
  ];
}
