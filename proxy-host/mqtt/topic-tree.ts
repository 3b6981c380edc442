interface Node<T> {
  children: Map<string, Node<T>> | undefined;
  entry: { value: T } | undefined;
}

/** After this many visited nodes without a match, `match` yields undefined, so that its consumer can let others run. */
const NODES_PER_BREATH = 1_000;

/**
 * Values by topic name, found by topic filter: what a broker needs to answer a subscription with retained messages.
 * An exact filter costs one lookup whatever the number of topics; a wildcard visits only the levels that can match.
 */
export class TopicTree<T> {
  readonly #exact = new Map<string, T>();
  readonly #root: Node<T> = { children: undefined, entry: undefined };

  get size(): number {
    return this.#exact.size;
  }

  get(topic: string): T | undefined {
    return this.#exact.get(topic);
  }

  values(): IterableIterator<T> {
    return this.#exact.values();
  }

  set(topic: string, value: T): void {
    this.#exact.set(topic, value);
    let node = this.#root;
    for (const level of topic.split('/')) {
      node.children ??= new Map();
      let child = node.children.get(level);
      if (child === undefined) {
        child = { children: undefined, entry: undefined };
        node.children.set(level, child);
      }
      node = child;
    }
    node.entry = { value };
  }

  delete(topic: string): boolean {
    if (!this.#exact.delete(topic)) return false;
    const path: { parent: Node<T>; level: string }[] = [];
    let node = this.#root;
    for (const level of topic.split('/')) {
      const child = node.children?.get(level);
      if (child === undefined) return true;
      path.push({ parent: node, level });
      node = child;
    }
    node.entry = undefined;
    for (const { parent, level } of path.reverse()) {
      const child = parent.children?.get(level);
      if (child === undefined || child.entry !== undefined || (child.children?.size ?? 0) > 0) break;
      parent.children?.delete(level);
      if (parent.children?.size === 0) parent.children = undefined;
    }
    return true;
  }

  /** The values whose topics match; undefined in between means only that time has passed. Tolerates changes meanwhile. */
  *match(filter: string): Generator<T | undefined, void, void> {
    if (!filter.includes('+') && !filter.includes('#')) {
      const value = this.#exact.get(filter);
      if (value !== undefined) yield value;
      return;
    }
    const levels = filter.split('/');
    const stack: { node: Node<T>; depth: number; everything: boolean }[] = [
      { node: this.#root, depth: 0, everything: false },
    ];
    let visited = 0;
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if (++visited % NODES_PER_BREATH === 0) yield undefined;
      const { node, depth } = at;
      const level = levels[depth];
      const everything = at.everything || level === '#';
      if (node.entry !== undefined && (everything || level === undefined)) yield node.entry.value;
      if (node.children === undefined) continue;
      if (everything || level === '+') {
        for (const [name, child] of node.children) {
          if (depth === 0 && name.startsWith('$')) continue;
          stack.push({ node: child, depth: depth + 1, everything });
        }
      } else if (level !== undefined) {
        const child = node.children.get(level);
        if (child !== undefined) stack.push({ node: child, depth: depth + 1, everything: false });
      }
    }
  }
}
