import type { ListedPeer } from '../admin/list-peers.ts';
import type { ListedPipe } from '../admin/list-pipes.ts';
import type { ListedAffordance, ListedThing } from '../admin/list-things.ts';
import type { EditorRED, PickOptions, PipevineEditor, Suggestion, TypedInput } from './editor-red.ts';
import { addSidebar } from './sidebar.ts';
import type { SidebarRED } from './sidebar-red.ts';

declare const RED: EditorRED;

/** The editor's widgets on jQuery that the published types lack. */
interface Widgets {
  autoComplete(options: object): void;
  typedInput(options: object): void;
}

type List = 'things' | 'peers' | 'pipes';

/** An answer is asked for again after this time, ms, or when the button is pressed. */
const FRESH_MS = 5_000;
const VALUE_TYPES = ['msg', 'flow', 'global', 'env', 'jsonata'];
const TYPED_INPUTS: Readonly<Record<TypedInput, readonly string[]>> = {
  value: ['msg', 'flow', 'global', 'str', 'num', 'bool', 'json', 'env', 'jsonata'],
  bytes: ['msg', 'flow', 'global', 'str', 'num', 'bool', 'json', 'bin', 'env', 'jsonata'],
  text: ['str', ...VALUE_TYPES],
  json: ['json', ...VALUE_TYPES],
};

const answers = new Map<string, { readonly atMs: number; readonly items: Promise<unknown[]> }>();

const text = (key: string) => RED._(`@pipevine/node-red/pipevine-peer:picker.${key}`);
/** The first 8 of the 52 characters. */
const shortId = (id: string) => id.slice(-52, -44);
// The widgets are there; their types are not.
const widgets = (input: JQuery) => input as unknown as Widgets;

async function ask(list: List, options: PickOptions): Promise<unknown[]> {
  const peer = String($(options.peer ?? '#node-input-peer').val() ?? '');
  const query = new URLSearchParams(options.query?.()).toString();
  const url = `pipevine/${encodeURIComponent(peer === '' || peer === '_ADD_' ? 'none' : peer)}/${list}${query && `?${query}`}`;
  const before = answers.get(url);
  if (before !== undefined && Date.now() - before.atMs < FRESH_MS) return before.items;
  const items = Promise.resolve($.getJSON(url)).then((answer: Record<string, unknown[]>) => answer[list] ?? []);
  answers.set(url, { atMs: Date.now(), items });
  items.catch(() => answers.delete(url));
  return items;
}

function reasonOf(failure: unknown): string {
  const { responseJSON } = failure as { readonly responseJSON?: { readonly message?: string } };
  return responseJSON?.message ?? text('no-answer');
}

function suggestion({ value, label, detail }: Suggestion): object {
  const row = $('<div>').css({ display: 'flex', gap: '8px', 'justify-content': 'space-between' });
  $('<span>').text(label).appendTo(row);
  if (detail !== undefined) $('<span>').text(detail).css({ opacity: 0.6 }).appendTo(row);
  return { value, label: row };
}

function searchOf<T>(
  list: List,
  toSuggestion: (item: T) => Suggestion,
  options: PickOptions = {},
  told: (hint: string) => void = () => {},
) {
  return (typed: string, done: (suggestions: object[]) => void) => {
    ask(list, options).then(
      (items) => {
        // What the route sends is what its caller expects of this list.
        const wanted = (items as never[])
          .filter(options.filter ?? (() => true))
          .flatMap(options.expand ?? ((item) => [item])) as T[];
        const all = wanted.map(toSuggestion);
        told(all.length === 0 ? text('empty') : '');
        const sought = typed.toLowerCase();
        const known = all.some(({ value }) => value === typed);
        done(
          all.filter(({ value, label }) => known || `${value} ${label}`.toLowerCase().includes(sought)).map(suggestion),
        );
      },
      (failure) => {
        told(reasonOf(failure));
        done([]);
      },
    );
  };
}

/** The button and the line. Returns what puts a text into the line. */
function around(input: JQuery, list: List, options: PickOptions): (hint: string) => void {
  const hint = $('<div>').addClass('pipevine-hint').css({ 'margin-left': '105px', 'font-size': '12px', opacity: 0.7 });
  input.closest('.form-row').append(hint);
  const button = $(
    '<button type="button" class="red-ui-button pipevine-refresh"><i class="fa fa-refresh"></i></button>',
  )
    .css({ 'margin-left': '5px' })
    .attr('title', text('refresh'))
    .attr('aria-label', text('refresh'))
    .on('click', () => {
      answers.clear();
      hint.text('');
      ask(list, options).then(
        (items) => hint.text(items.length === 0 ? text('empty') : `${items.length} ${text('found')}`),
        (failure) => hint.text(reasonOf(failure)),
      );
    });
  const next = input.next('.red-ui-typedInput-container');
  (next.length > 0 ? next : input).after(button);
  return (words) => void hint.text(words);
}

const pipevine: PipevineEditor = {
  search: (list, toSuggestion, options) => searchOf(list, toSuggestion, options),
  pick: (selector, list, toSuggestion, options = {}) => {
    const input = $(selector);
    const told = around(input, list, options);
    widgets(input).autoComplete({ minLength: 0, search: searchOf(list, toSuggestion, options, told) });
  },
  typedPick: (selector, typeField, list, toSuggestion, options = {}) => {
    const input = $(selector);
    let told: (hint: string) => void = () => {};
    const search = searchOf(list, toSuggestion, options, (hint) => told(hint));
    const name = { value: 'str', label: text('name'), icon: 'red/images/typedInput/az.svg', autoComplete: search };
    widgets(input).typedInput({ default: 'str', typeField: $(typeField), types: [name, ...VALUE_TYPES] });
    told = around(input, list, options);
  },
  pickThing: () =>
    pipevine.typedPick<ListedThing & { readonly isUnique: boolean }>(
      '#node-input-thing',
      '#node-input-thingType',
      'things',
      ({ id, title, connector, availability, isUnique }) => ({
        value: isUnique ? title : id,
        label: title,
        detail: [isUnique ? '' : id.slice(-12), connector, availability].filter((part) => part !== '').join(' '),
      }),
      {
        expand: (thing: ListedThing, _index: number, all: ListedThing[]) => [
          { ...thing, isUnique: all.filter(({ title }) => title === thing.title).length === 1 },
        ],
      },
    ),
  pickAffordance: (field, of) => {
    const chosen = () => String($('#node-input-thing').val() ?? '');
    pipevine.typedPick<ListedAffordance>(
      `#node-input-${field}`,
      `#node-input-${field}Type`,
      'things',
      ({ name, title, type }) => ({ value: name, label: name, detail: title || type }),
      { filter: ({ id, title }: ListedThing) => chosen() === id || chosen() === title, expand: of },
    );
  },
  pickMember: () =>
    pipevine.typedPick<ListedPeer>('#node-input-target', '#node-input-targetType', 'peers', ({ id, name }) => ({
      value: id,
      label: name || id,
      detail: shortId(id),
    })),
  pickPipe: (kind) =>
    pipevine.typedPick<ListedPipe>(
      '#node-input-pipe',
      '#node-input-pipeType',
      'pipes',
      ({ name, peer }) => ({ value: name, label: name, detail: shortId(peer) }),
      { query: () => ({ kind }) },
    ),
  typed: (field, types) => {
    const [first] = TYPED_INPUTS[types];
    const typeField = $(`#node-input-${field}Type`);
    widgets($(`#node-input-${field}`)).typedInput({ default: first, typeField, types: [...TYPED_INPUTS[types]] });
  },
};

// Each node's page asks for this script; the first time counts.
if (!('pipevine' in window)) {
  Object.assign(window, { pipevine });
  // The published types lack most of what the sidebar uses.
  addSidebar(RED as unknown as SidebarRED);
}
