import type { MadeNode } from './node-of-affordance.ts';
import type { EditorNode, SidebarRED } from './sidebar-red.ts';

/** What the workspace takes when it is dropped; see the style that undoes its looks. */
const PALETTE_NODE = 'red-ui-palette-node';

interface Draggable {
  draggable(options: object): void;
}

/**
 * Makes a line of the sidebar draggable like a node of the palette. The workspace makes the node, as of any it knows the type of;
 * what the line stands for is filled in before its label is measured.
 */
export function dragToCanvas(
  RED: SidebarRED,
  row: JQuery,
  {
    made,
    label,
    onDrag,
  }: { readonly made: () => MadeNode; readonly label: () => string; readonly onDrag: (is: boolean) => void },
): void {
  let fill: ((node: EditorNode) => void) | undefined;
  const element = row.get(0);
  // jQuery UI is in the editor; its types are not here.
  (row as unknown as Draggable).draggable({
    appendTo: '#red-ui-editor',
    containment: '#red-ui-main-container',
    revert: 'invalid',
    revertDuration: 200,
    distance: 5,
    cursorAt: { left: 20, top: 12 },
    cancel: 'button',
    helper: () => $('<div>').addClass(`${PALETTE_NODE} pipevine-drag`).append($('<span>').text(label())),
    start: () => {
      const { type, fields } = made();
      element?.classList.add(PALETTE_NODE);
      element?.setAttribute('data-palette-type', type);
      fill = (node) => {
        if (node.type !== type) return;
        Object.assign(node, fields);
        RED.nodes.updateConfigNodeUsers(node, { action: 'add' });
      };
      RED.events.on('nodes:add', fill);
      RED.view.focus();
      onDrag(true);
    },
    // The workspace goes on below the sidebar: what is let go there is not meant for it.
    drag: (event: JQuery.TriggeredEvent, { helper }: { readonly helper: JQuery }) => {
      element?.classList.toggle(PALETTE_NODE, isOverCanvas(event.clientX ?? 0, event.clientY ?? 0, helper.get(0)));
    },
    stop: () => {
      if (fill !== undefined) RED.events.off('nodes:add', fill);
      element?.classList.remove(PALETTE_NODE);
      element?.removeAttribute('data-palette-type');
      onDrag(false);
    },
  });
}

function isOverCanvas(x: number, y: number, helper: HTMLElement | undefined): boolean {
  const below = document.elementsFromPoint(x, y).find((one) => helper?.contains(one) !== true);
  return below?.closest('#red-ui-workspace-chart') != null;
}

/** The same without a pointer: into the middle of what is in sight. Returns whether there is a node now. */
export function putOnCanvas(RED: SidebarRED, { type, fields }: MadeNode): boolean {
  if (RED.workspaces.isLocked?.() === true || !RED.nodes.getType(type)) return false;
  const chart = $('#red-ui-workspace-chart');
  const scale = RED.view.scale();
  const middle = (scroll: number | undefined, size: number | undefined) =>
    Math.round(((scroll ?? 0) + (size ?? 0) / 2) / scale / 20) * 20;
  const x = middle(chart.scrollLeft(), chart.width());
  const y = middle(chart.scrollTop(), chart.height());
  const created = RED.view.createNode(type, x, y);
  if (created === undefined) return false;
  const { node, historyEvent } = created;
  Object.assign(node, fields);
  const added = RED.nodes.add(node, { source: 'action' });
  RED.history.push(historyEvent);
  RED.editor.validateNode(added);
  RED.nodes.dirty(true);
  RED.view.select({ nodes: [added] });
  RED.view.redraw(true);
  return true;
}
