import type { NamedRoute } from '../admin/named-route.ts';
import type { SidebarRow } from './sidebar-rows.ts';
import type { ShownValue } from './value-follow.ts';

export type SidebarText = (key: string, values?: Readonly<Record<string, string | number>>) => string;

const AFFORDANCE_ICONS = { property: 'fa-sliders', action: 'fa-bolt', event: 'fa-bell-o' } as const;
const AVAILABILITY_DOTS = { up: 'good', sleeping: 'fair', lost: 'bad' } as const;
const ROUTE_DOTS: Readonly<Record<NamedRoute['state'], string>> = {
  self: 'good',
  direct: 'good',
  hosted: 'good',
  relayed: 'fair',
  ready: 'fair',
  none: 'bad',
};

/** One line of the tree, without what it does. All texts from the overlay go in as text. */
export function sidebarRow(row: SidebarRow, text: SidebarText): JQuery {
  const element = $('<div class="pipevine-row" role="treeitem" tabindex="-1">')
    .attr({ 'aria-level': row.level, 'data-key': row.key })
    .data('row', row);
  if ('open' in row) {
    element.attr('aria-expanded', String(row.open));
    icon(row.open ? 'fa-angle-down' : 'fa-angle-right').appendTo(element);
  }
  switch (row.kind) {
    case 'section':
      name(text(`sections.${row.key}`)).appendTo(element);
      more(String(row.count)).appendTo(element);
      break;
    case 'thing': {
      const { title, id, connector, availability, route } = row.thing;
      dot(AVAILABILITY_DOTS[availability], text(`availability.${availability}`)).appendTo(element);
      name(title || id)
        .attr('title', `${title}\n${id}\n${route.text}`)
        .appendTo(element);
      more([connector, availability === 'up' ? '' : text(`availability.${availability}`)]).appendTo(element);
      button('fa-heartbeat', 'add', text('presence')).appendTo(element);
      button('fa-clone', 'copy', text('copy')).appendTo(element);
      break;
    }
    case 'affordance': {
      const { of, affordance } = row;
      icon(AFFORDANCE_ICONS[of])
        .attr('title', text(`affordances.${of}`))
        .appendTo(element);
      name(affordance.name)
        .attr('title', affordance.title || affordance.name)
        .appendTo(element);
      more([affordance.type, affordance.unit]).appendTo(element);
      if (of === 'property') $('<span class="pipevine-value" aria-live="off">').appendTo(element);
      if (of === 'property' && !affordance.readOnly) button('fa-pencil', 'write', text('write')).appendTo(element);
      button('fa-plus', 'add', text('add')).appendTo(element);
      element.addClass('pipevine-draggable').attr('title', text('drag'));
      break;
    }
    case 'peer': {
      const { peer } = row;
      dot(ROUTE_DOTS[peer.route.state], text(`routes.${peer.route.state}`)).appendTo(element);
      name(peer.name || peer.id)
        .attr('title', `${peer.name}\n${peer.id}`)
        .appendTo(element);
      more(routeWords(peer.route, text)).appendTo(element);
      button('fa-clone', 'copy', text('copy')).appendTo(element);
      break;
    }
    case 'route': {
      const { route } = row;
      icon('fa-road').appendTo(element);
      $('<span class="pipevine-route">').text(routeSentence(route, text)).attr('title', route.text).appendTo(element);
      button('fa-clone', 'copy', text('copy')).appendTo(element);
    }
  }
  return element;
}

export function showValue(element: JQuery, shown: ShownValue | undefined): void {
  if (shown === undefined) return;
  element.find('.pipevine-value').text(shown.text).attr('title', shown.title).toggleClass('failed', shown.failed);
}

/** Such as: relay, via attic; direct, tcp, 3 ms. */
export function routeWords({ state, via, transport, rttMs }: NamedRoute, text: SidebarText): string[] {
  return [
    text(`routes.${state}`),
    via.length === 0 ? '' : text('via', { names: via.join(', ') }),
    transport ?? '',
    rttMs === null ? '' : `${rttMs < 10 ? rttMs.toFixed(1) : Math.round(rttMs)} ms`,
  ].filter((part) => part !== '');
}

/** Why it goes the way it goes is of interest where it is not the best one. */
function routeSentence(route: NamedRoute, text: SidebarText): string {
  const words = routeWords(route, text).join(' · ');
  if (route.state === 'self' || route.state === 'direct') return words;
  return [`${words}: ${route.text}.`, route.advice ?? ''].join(' ').trim();
}

const icon = (which: string) => $('<i aria-hidden="true">').addClass(`fa ${which}`);
const name = (words: string) => $('<span class="pipevine-name">').text(words);
const more = (parts: string | readonly string[]) =>
  $('<span class="pipevine-more">').text(
    [parts]
      .flat()
      .filter((part) => part !== '')
      .join(' · '),
  );
const dot = (how: string, words: string) =>
  $('<span class="pipevine-dot" role="img">').addClass(how).attr({ title: words, 'aria-label': words });
const button = (which: string, does: string, words: string) =>
  $('<button type="button" tabindex="-1">')
    .attr({ 'data-does': does, title: words, 'aria-label': words })
    .append(icon(which));
