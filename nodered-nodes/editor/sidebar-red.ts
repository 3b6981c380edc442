/** What the sidebar uses of Node-RED's editor, of 5 and of 4.1: the published types lack most of it. */
export interface SidebarRED {
  _(key: string, values?: Readonly<Record<string, string | number>>): string;
  readonly nodes: {
    add(node: EditorNode, options?: object): EditorNode;
    dirty(is: boolean): void;
    eachConfig(each: (node: EditorNode) => boolean): void;
    getType(type: string): object | null;
    updateConfigNodeUsers(node: EditorNode, options: { readonly action: 'add' | 'remove' }): void;
  };
  readonly view: {
    createNode(
      type: string,
      x: number,
      y: number,
    ): { readonly node: EditorNode; readonly historyEvent: object } | undefined;
    select(selection: { readonly nodes: readonly EditorNode[] }): void;
    redraw(updateActive?: boolean): void;
    scale(): number;
    focus(): void;
  };
  readonly workspaces: { active(): string; isLocked?(): boolean };
  readonly history: { push(event: object): void };
  readonly editor: {
    validateNode(node: EditorNode): boolean;
    editConfig(name: string, type: string, id: string): void;
  };
  readonly events: {
    on(event: string, listener: (node: EditorNode) => void): void;
    off(event: string, listener: (node: EditorNode) => void): void;
  };
  readonly sidebar: { addTab(tab: object): void; show(id: string): void };
  readonly actions: { add(name: string, action: () => void, options?: object): void };
  readonly clipboard: { copyText(text: string, element: JQuery, message?: string): boolean };
  notify(message: string, type?: string): void;
}

export interface EditorNode {
  readonly id: string;
  readonly type: string;
  readonly name?: string;
  /** Of a disabled config node. */
  readonly d?: boolean;
}
