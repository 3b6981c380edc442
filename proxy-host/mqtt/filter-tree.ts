interface Node<T> {
  children: Map<string, Node<T>> | undefined;
  values: Map<string, T> | undefined;
}

/** Values by topic filter and owner, found by topic name: whose subscription a message matches. */
export class FilterTree<T> {
  readonly #root: Node<T> = { children: undefined, values: undefined };
  #size = 0;

  /** Number of (filter, owner) pairs. */
  get size(): number {
    return this.#size;
  }

  set(filter: string, owner: string, value: T): void {
    let node = this.#root;
    for (const level of filter.split('/')) {
      node.children ??= new Map();
      let child = node.children.get(level);
      if (child === undefined) {
        child = { children: undefined, values: undefined };
        node.children.set(level, child);
      }
      node = child;
    }
    node.values ??= new Map();
    if (!node.values.has(owner)) this.#size++;
    node.values.set(owner, value);
  }

  delete(filter: string, owner: string): void {
    const path: { parent: Node<T>; level: string }[] = [];
    let node = this.#root;
    for (const level of filter.split('/')) {
      const child = node.children?.get(level);
      if (child === undefined) return;
      path.push({ parent: node, level });
      node = child;
    }
    if (node.values?.delete(owner) !== true) return;
    this.#size--;
    if (node.values.size === 0) node.values = undefined;
    for (const { parent, level } of path.reverse()) {
      const child = parent.children?.get(level);
      if (child === undefined || child.values !== undefined || child.children !== undefined) break;
      parent.children?.delete(level);
      if (parent.children?.size === 0) parent.children = undefined;
    }
  }

  /** Every value whose filter matches the topic name; one owner may come several times. */
  match(topic: string): T[] {
    const levels = topic.split('/');
    const found: T[] = [];
    const hidden = topic.startsWith('$');
    const visit = (node: Node<T>, depth: number): void => {
      const wild = depth > 0 || !hidden;
      const rest = wild ? node.children?.get('#') : undefined;
      if (rest?.values !== undefined) found.push(...rest.values.values());
      const level = levels[depth];
      if (level === undefined) {
        if (node.values !== undefined) found.push(...node.values.values());
        return;
      }
      const exact = node.children?.get(level);
      if (exact !== undefined) visit(exact, depth + 1);
      const any = wild ? node.children?.get('+') : undefined;
      if (any !== undefined && any !== exact) visit(any, depth + 1);
    };
    visit(this.#root, 0);
    return found;
  }
}
