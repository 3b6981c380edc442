import type { OverlayReport } from '../admin/overlay-report.ts';
import { type MadeNode, nodeOfAffordance, nodeOfThing, type PropertyUse } from './node-of-affordance.ts';
import { dragToCanvas, putOnCanvas } from './put-on-canvas.ts';
import type { SidebarRED } from './sidebar-red.ts';
import { type SidebarText, showValue, sidebarRow } from './sidebar-row.ts';
import { type SidebarRow, sidebarRows } from './sidebar-rows.ts';
import type { ValueFollow } from './value-follow.ts';

export interface SidebarTreeInit {
  readonly RED: SidebarRED;
  readonly text: SidebarText;
  /** Id of the peer's config node. */
  readonly peer: () => string;
  readonly values: () => ValueFollow | undefined;
}

/** Things and peers, to unfold, drag, copy: by pointer, or by the keys of the tree pattern of WAI-ARIA. */
export class SidebarTree {
  readonly element = $('<div class="pipevine-tree" role="tree">');
  readonly #init: SidebarTreeInit;
  readonly #open = new Set<string>(['things', 'peers']);
  #report: OverlayReport | undefined;
  #query = '';
  #dragging = false;
  /** Key of the line that the Tab key leads to. */
  #current = 'things';

  constructor(init: SidebarTreeInit) {
    this.#init = init;
    this.element.attr('aria-label', init.text('name'));
    this.element.on('keydown', (event) => this.#onKey(event));
    this.element.on('click', '.pipevine-row', (event) => this.#onClick(event));
    this.element.on('mouseenter focus', '.pipevine-row', (event) => this.#onLook($(event.currentTarget)));
  }

  show(report: OverlayReport | undefined): void {
    this.#report = report;
    this.draw();
  }

  search(query: string): void {
    this.#query = query;
    this.draw();
  }

  /** Draws all lines anew, unless one of them is being dragged: then afterwards. */
  draw(): void {
    if (this.#dragging) return;
    const { text, values } = this.#init;
    const scrolled = this.element.scrollTop() ?? 0;
    const hadFocus = this.element.get(0)?.contains(document.activeElement) === true;
    const rows = this.#report === undefined ? [] : sidebarRows(this.#report, this.#query, this.#open);
    const elements = rows.map((row) => {
      const element = sidebarRow(row, text);
      if (row.kind === 'affordance') {
        showValue(element, values()?.value(row.key));
        this.#makeDraggable(element, row);
      }
      return element;
    });
    this.element.empty().append(elements);
    const current = this.#row(this.#current) ?? elements[0];
    current?.attr('tabindex', 0);
    if (hadFocus) current?.get(0)?.focus({ preventScroll: true });
    this.element.scrollTop(scrolled);
    values()?.follow(rows.filter((row) => row.kind === 'affordance').filter(({ of }) => of === 'property'));
  }

  showValue(key: string): void {
    const row = this.#row(key);
    if (row !== undefined) showValue(row, this.#init.values()?.value(key));
  }

  #row(key: string): JQuery | undefined {
    const found = this.element.children().filter((_index, element) => element.dataset.key === key);
    return found.length === 0 ? undefined : found;
  }

  #makeDraggable(element: JQuery, row: SidebarRow & { readonly kind: 'affordance' }): void {
    dragToCanvas(this.#init.RED, element, {
      made: () => this.#made(row),
      label: () => `${row.thing.title} ${row.affordance.name}`,
      onDrag: (is) => {
        this.#dragging = is;
        // jQuery UI is not done with the line yet.
        if (!is) window.setTimeout(() => this.draw());
      },
    });
  }

  #made(
    { thing, affordance, of }: SidebarRow & { readonly kind: 'affordance' },
    use: PropertyUse = 'observe',
  ): MadeNode {
    const { things = [] } = this.#report ?? {};
    return nodeOfAffordance(this.#init.peer(), thing, affordance, of, things, affordance.writeOnly ? 'write' : use);
  }

  #onLook(element: JQuery): void {
    const row = rowOf(element);
    if (row?.kind !== 'affordance' || row.of !== 'property') return;
    this.#init.values()?.look(row.key, row.thing, row.affordance);
  }

  #onClick(event: JQuery.TriggeredEvent): void {
    const element = $(event.currentTarget as HTMLElement);
    const row = rowOf(element);
    if (row === undefined) return;
    const does = $(event.target as HTMLElement)
      .closest('button')
      .attr('data-does');
    if (does === undefined) {
      this.#goTo(element);
      if ('open' in row) this.#toggle(row, !row.open);
    } else this.#do(does, row, element);
  }

  #do(does: string, row: SidebarRow, element: JQuery): void {
    const { RED, text } = this.#init;
    if (does === 'copy') RED.clipboard.copyText(idOf(row), element, text('copied'));
    else if (row.kind === 'affordance') this.#put(this.#made(row, does === 'write' ? 'write' : 'observe'));
    else if (row.kind === 'thing') this.#put(nodeOfThing(this.#init.peer(), row.thing, this.#report?.things ?? []));
  }

  #put(made: MadeNode): void {
    const { RED, text } = this.#init;
    if (!putOnCanvas(RED, made)) RED.notify(text('locked'), 'warning');
  }

  #toggle({ key }: SidebarRow, open: boolean): void {
    if (open) this.#open.add(key);
    else this.#open.delete(key);
    this.draw();
  }

  #goTo(element: JQuery): void {
    this.element.children('[tabindex=0]').attr('tabindex', -1);
    element.attr('tabindex', 0);
    this.#current = element.attr('data-key') ?? this.#current;
    element.trigger('focus');
  }

  #onKey(event: JQuery.TriggeredEvent): void {
    const element = $(event.target as HTMLElement).closest('.pipevine-row');
    const row = rowOf(element);
    if (row === undefined || event.ctrlKey === true || event.metaKey === true || event.altKey === true) return;
    const isOpen = 'open' in row ? row.open : undefined;
    switch (event.key) {
      case 'ArrowDown':
        this.#goIfThere(element.next());
        break;
      case 'ArrowUp':
        this.#goIfThere(element.prev());
        break;
      case 'Home':
        this.#goIfThere(this.element.children().first());
        break;
      case 'End':
        this.#goIfThere(this.element.children().last());
        break;
      case 'ArrowRight':
        if (isOpen === true) this.#goIfThere(element.next());
        else if (isOpen === false) this.#toggle(row, true);
        break;
      case 'ArrowLeft':
        if (isOpen === true) this.#toggle(row, false);
        else this.#goIfThere(element.prevAll(`[aria-level=${row.level - 1}]`).first());
        break;
      case 'Enter':
      case ' ':
        // A button inside of the line has these keys for itself.
        if ($(event.target as HTMLElement).is('button')) return;
        if (isOpen !== undefined) this.#toggle(row, !isOpen);
        else if (row.kind === 'affordance') this.#put(this.#made(row));
        else this.#do('copy', row, element);
        break;
      case 'w':
        if (row.kind === 'affordance' && row.of === 'property' && !row.affordance.readOnly)
          this.#put(this.#made(row, 'write'));
        break;
      case 'c':
        this.#do('copy', row, element);
        break;
      default:
        return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  #goIfThere(element: JQuery): void {
    if (element.length > 0) this.#goTo(element);
  }
}

// Put there by `sidebarRow`.
const rowOf = (element: JQuery) => element.data('row') as SidebarRow | undefined;

function idOf(row: SidebarRow): string {
  switch (row.kind) {
    case 'thing':
      return row.thing.id;
    case 'peer':
      return row.peer.id;
    case 'route':
      return row.id;
    case 'affordance':
      return row.affordance.name;
    case 'section':
      return row.key;
  }
}
