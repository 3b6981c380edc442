import type { OverlayReport } from '../admin/overlay-report.ts';
import { OverlayFollow } from './overlay-follow.ts';
import type { EditorNode, SidebarRED } from './sidebar-red.ts';
import type { SidebarText } from './sidebar-row.ts';
import { SIDEBAR_STYLE } from './sidebar-style.ts';
import { SidebarTree } from './sidebar-tree.ts';
import { ValueFollow } from './value-follow.ts';

export const SIDEBAR_TAB = 'pipevine';
const CATALOGUE = '@pipevine/node-red/pipevine-peer:sidebar.';

/** Adds the sidebar: what one of the flow's peers sees of its group, live while it is in sight. */
export function addSidebar(RED: SidebarRED): void {
  const text: SidebarText = (key, values) => RED._(CATALOGUE + key, values);
  $('<style>').text(SIDEBAR_STYLE).appendTo(document.head);
  const content = $('<div class="pipevine-sidebar">');
  const head = $('<div class="pipevine-head" role="search">').appendTo(content);
  const chooser = $('<select>').attr('aria-label', text('choose')).appendTo(head);
  const search = $('<input type="search">')
    .attr({ placeholder: text('search'), 'aria-label': text('search') })
    .appendTo(head);
  const refresh = $(
    '<button type="button" class="red-ui-button red-ui-button-small"><i class="fa fa-refresh"></i></button>',
  )
    .attr({ title: text('refresh'), 'aria-label': text('refresh') })
    .appendTo(head);
  const state = $('<div class="pipevine-state" role="status">').appendTo(head);
  const empty = $('<div class="pipevine-empty">').hide().appendTo(content);

  let peer = '';
  let overlay: OverlayFollow | undefined;
  let values: ValueFollow | undefined;
  let inSight = false;
  const tree = new SidebarTree({ RED, text, peer: () => peer, values: () => values });
  tree.element.appendTo(content);

  const run = () => {
    const isRunning = inSight && !document.hidden;
    if (isRunning) {
      overlay?.run();
      values?.run();
    } else {
      overlay?.pause();
      values?.pause();
    }
  };
  const showEmpty = (kind: 'no-peer' | 'not-deployed' | 'nothing') => {
    empty.empty().append($('<div>').text(text(`empty.${kind}.title`)));
    const list = $('<ol>').appendTo(empty);
    for (const step of ['1', '2', '3'])
      $('<li>')
        .text(text(`empty.${kind}.${step}`))
        .appendTo(list);
    empty.show();
  };
  const onReport = (report: OverlayReport) => {
    tree.show(report);
    const { group, phase, error, self, standIn, things, omitted } = report;
    if (phase === 'absent') {
      state.empty();
      showEmpty('not-deployed');
      return;
    }
    state.empty().append($('<span>').text(stateWords(text, group?.name, self?.name, phase)));
    if (standIn) state.append($('<div>').text(text('stand-in', { name: self?.name ?? '' })));
    if (omitted > 0) state.append($('<div>').text(text('omitted', { count: omitted })));
    if (error !== null) state.append($('<div class="error">').text(`${error.message} (${error.code})`));
    if (group !== null && things.length === 0) showEmpty('nothing');
    else empty.hide();
  };
  const onError = (status: number, message: string) => {
    tree.show(undefined);
    state.empty();
    empty.hide();
    const words = status === 401 || status === 403 ? text('not-allowed') : message || text('no-answer');
    state.append($('<div class="error">').text(words));
  };
  const choose = (id: string) => {
    overlay?.pause();
    values?.pause();
    peer = id;
    tree.show(undefined);
    state.empty();
    empty.hide();
    values = new ValueFollow(id, (key) => tree.showValue(key));
    overlay = new OverlayFollow({ peer: id, onReport, onError });
    run();
  };

  /** The flow's peers; called at each change of them. */
  const list = () => {
    const peers: EditorNode[] = [];
    RED.nodes.eachConfig((node) => {
      if (node.type === 'pipevine-peer' && node.d !== true) peers.push(node);
      return true;
    });
    chooser.empty().toggle(peers.length > 1);
    for (const { id, name } of peers)
      $('<option>')
        .val(id)
        .text(name || id)
        .appendTo(chooser);
    const first = peers[0];
    if (first === undefined) {
      overlay?.pause();
      overlay = undefined;
      peer = '';
      tree.show(undefined);
      state.empty();
      showEmpty('no-peer');
      return;
    }
    if (!peers.some(({ id }) => id === peer)) choose(first.id);
    chooser.val(peer);
  };
  let listing: number | undefined;
  const listSoon = (node?: EditorNode) => {
    if (node !== undefined && node.type !== 'pipevine-peer') return;
    window.clearTimeout(listing);
    listing = window.setTimeout(list, 50);
  };
  for (const event of ['nodes:add', 'nodes:change', 'nodes:remove']) RED.events.on(event, listSoon);
  RED.events.on('flows:loaded', () => listSoon());
  RED.events.on('deploy', () => overlay?.refresh());
  chooser.on('change', () => choose(String(chooser.val())));
  search.on('input search', () => tree.search(String(search.val())));
  search.on('keydown', (event) => {
    if (event.key === 'ArrowDown') tree.element.children('[tabindex=0]').trigger('focus');
  });
  refresh.on('click', () => overlay?.refresh());
  document.addEventListener('visibilitychange', run);
  const element = content.get(0);
  if (element !== undefined) {
    new IntersectionObserver((entries) => {
      inSight = entries.some(({ isIntersecting }) => isIntersecting);
      run();
    }).observe(element);
  }

  RED.sidebar.addTab({
    id: SIDEBAR_TAB,
    label: text('label'),
    name: text('name'),
    content,
    iconClass: 'fa fa-share-alt',
    action: 'pipevine:show-sidebar',
    enableOnEdit: true,
  });
  RED.actions.add('pipevine:show-sidebar', () => RED.sidebar.show(SIDEBAR_TAB), { label: text('show') });
  list();
}

function stateWords(text: SidebarText, group: string | undefined, self: string | undefined, phase: string): string {
  if (group === undefined || self === undefined) return text(`phases.${phase}`);
  return text('member', { self, group, phase: text(`phases.${phase}`) });
}
