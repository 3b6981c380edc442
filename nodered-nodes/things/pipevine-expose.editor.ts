import type { EditorRED } from '../editor/editor-red.ts';
import type { DescriptionCheck } from './check-description.ts';
import type { ActionRow, DescriptionConfig, EventRow, PropertyRow } from './exposed-description.ts';

declare const RED: EditorRED;

/** What the published types lack of the editor. */
interface EditableList {
  editableList(options: object): JQuery;
  editableList(method: 'addItem', item: object): void;
  editableList(method: 'items'): JQuery;
}
interface TextEditor {
  getValue(): string;
  setValue(text: string): void;
  destroy(): void;
}
interface Tabs {
  addTab(tab: { readonly id: string; readonly label: string }): void;
  resize(): void;
}

const TYPES = ['number', 'integer', 'boolean', 'string', 'object', 'array', 'any'];
const CHECK_DELAY_MS = 400;
const LISTS = ['properties', 'actions', 'events'];
/** Of the one dialog that is open. */
let check: ReturnType<typeof setTimeout> | undefined;
let editor: TextEditor | undefined;
let tabs: Tabs | undefined;

// The widgets are there; their types are not.
const list = (name: string) => $(`#pipevine-expose-${name}`) as unknown as EditableList;

RED.nodes.registerType('pipevine-expose', {
  category: 'pipevine',
  color: '#86B4C9',
  defaults: {
    name: { value: '' },
    peer: { value: '', type: 'pipevine-peer', required: true },
    title: { value: '' },
    about: { value: '' },
    propertyRows: { value: [], validate: (rows: unknown) => areNamed(rows) },
    actionRows: { value: [], validate: (rows: unknown) => areNamed(rows) },
    eventRows: { value: [], validate: (rows: unknown) => areNamed(rows) },
    form: { value: 'rows' },
    td: { value: '' },
    serveLast: { value: true },
    timeout: { value: 10 },
    readRoles: { value: '' },
    writeRoles: { value: '' },
    invokeRoles: { value: '' },
    version: { value: 1 },
  },
  inputs: 1,
  outputs: 1,
  icon: 'pipevine-expose.svg',
  paletteLabel() {
    return this._('pipevine-expose.palette');
  },
  label() {
    return this.name || this.title || this._('pipevine-expose.palette');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  inputLabels() {
    return this._('pipevine-expose.input');
  },
  outputLabels() {
    return this._('pipevine-expose.output');
  },
  oneditprepare() {
    const text = (key: string) => this._(`pipevine-expose.${key}`);
    prepareTabs(text);
    prepareLists(this, text);
    editor = RED.editor.createEditor({ id: 'pipevine-expose-td', mode: 'ace/mode/json', value: this.td || '' });
    const form = $('#node-input-form');
    const show = () => $('.pipevine-expose-rows').toggle(form.val() !== 'json');
    form.on('change', show);
    show();
    $('#pipevine-expose-from-rows').on('click', () => {
      ask({ ...shown(), form: 'rows' }, ({ message, description }) => {
        if (message === null) editor?.setValue(JSON.stringify(description, undefined, 2));
        tell(message, text);
      });
    });
    const checkSoon = () => {
      clearTimeout(check);
      check = setTimeout(() => ask(shown(), ({ message }) => tell(message, text)), CHECK_DELAY_MS);
    };
    $('#pipevine-expose-dialog').on('change keyup click', checkSoon);
    if (this.title || this.td) checkSoon();
  },
  oneditsave() {
    const { propertyRows, actionRows, eventRows, td } = shown();
    Object.assign(this, { propertyRows, actionRows, eventRows, td });
    leave();
  },
  oneditcancel() {
    leave();
  },
  oneditresize() {
    tabs?.resize();
  },
});

function areNamed(rows: unknown): boolean {
  if (!Array.isArray(rows)) return false;
  // What the dialog saves are rows.
  const names = (rows as { readonly name?: string }[]).map(({ name }) => (name ?? '').trim());
  return names.every((name) => name !== '') && new Set(names).size === names.length;
}

function leave(): void {
  clearTimeout(check);
  editor?.destroy();
  editor = undefined;
  tabs = undefined;
}

function prepareTabs(text: (key: string) => string): void {
  const panes = [...LISTS, 'json', 'access'];
  // The published types know neither the id nor the tab that `onchange` is given.
  const maker = RED.tabs as unknown as { create(options: object): Tabs };
  tabs = maker.create({
    id: 'pipevine-expose-tabs',
    onchange: ({ id }: { readonly id: string }) => {
      for (const pane of panes) $(`#pipevine-expose-${pane}-pane`).toggle(id === pane);
    },
  });
  for (const pane of panes) tabs.addTab({ id: pane, label: text(`tabs.${pane}`) });
}

function prepareLists(saved: DescriptionConfig, text: (key: string) => string): void {
  const typeField = (name: string, value: string, none: string | undefined) => {
    const select = $('<select>')
      .css({ width: '100px' })
      .attr('data-field', name)
      .attr('title', text(`fields.${name}`));
    if (none !== undefined) $('<option>').val('').text(none).appendTo(select);
    for (const type of TYPES) $('<option>').val(type).text(type).appendTo(select);
    return select.val(value);
  };
  const textField = (name: string, value: unknown, width: string) =>
    $('<input type="text">')
      .css({ width })
      .attr('data-field', name)
      .attr('placeholder', text(`fields.${name}`))
      .attr('title', text(`fields.${name}`))
      .val(String(value ?? ''));
  const checkField = (name: string, isOn: boolean) =>
    $('<label>')
      .css({ width: 'auto', margin: 0, display: 'inline-flex', gap: '4px', 'align-items': 'baseline' })
      .append(
        $('<input type="checkbox">').css({ width: 'auto', margin: 0 }).attr('data-field', name).prop('checked', isOn),
      )
      .append(document.createTextNode(text(`fields.${name}`)));
  const line = (row: JQuery) =>
    $('<div>').css({ display: 'flex', gap: '6px', 'align-items': 'center', 'margin-bottom': '4px' }).appendTo(row);

  list('properties').editableList({
    removable: true,
    sortable: true,
    addItem: (row: JQuery, _at: number, item: Partial<PropertyRow>) => {
      line(row)
        .append(textField('name', item.name, '35%'))
        .append(typeField('type', item.type ?? 'number', undefined))
        .append(textField('unit', item.unit, '60px'))
        .append(textField('minimum', item.minimum, '50px'))
        .append(textField('maximum', item.maximum, '50px'));
      line(row)
        .append(textField('enum', item.enum, '35%'))
        .append(checkField('readOnly', item.readOnly === true))
        .append(checkField('observable', item.observable !== false));
    },
  });
  list('actions').editableList({
    removable: true,
    sortable: true,
    addItem: (row: JQuery, _at: number, item: Partial<ActionRow>) => {
      line(row)
        .append(textField('name', item.name, '35%'))
        .append(document.createTextNode(text('fields.input')))
        .append(typeField('input', item.input ?? '', text('none')))
        .append(document.createTextNode(text('fields.output')))
        .append(typeField('output', item.output ?? '', text('none')));
    },
  });
  list('events').editableList({
    removable: true,
    sortable: true,
    addItem: (row: JQuery, _at: number, item: Partial<EventRow>) => {
      line(row)
        .append(textField('name', item.name, '35%'))
        .append(document.createTextNode(text('fields.data')))
        .append(typeField('data', item.data ?? '', text('none')));
    },
  });
  for (const row of saved.propertyRows ?? []) list('properties').editableList('addItem', row);
  for (const row of saved.actionRows ?? []) list('actions').editableList('addItem', row);
  for (const row of saved.eventRows ?? []) list('events').editableList('addItem', row);
}

/** The description as the dialog shows it now. */
function shown(): DescriptionConfig {
  const rows = (name: string): never[] => {
    const found: Record<string, unknown>[] = [];
    list(name)
      .editableList('items')
      .each((_, item) => {
        const row: Record<string, unknown> = {};
        $(item)
          .find('[data-field]')
          .each((_at, element) => {
            const field = $(element);
            const value = field.is(':checkbox') ? field.is(':checked') : String(field.val() ?? '').trim();
            row[field.attr('data-field') ?? ''] = value;
          });
        found.push(row);
      });
    // Each row has the fields that prepareLists gave it.
    return found as never[];
  };
  const field = (name: string) => String($(`#node-input-${name}`).val() ?? '');
  return {
    title: field('title'),
    about: field('about'),
    form: field('form') === 'json' ? 'json' : 'rows',
    td: editor?.getValue() ?? '',
    propertyRows: rows('properties'),
    actionRows: rows('actions'),
    eventRows: rows('events'),
  };
}

function ask(description: DescriptionConfig, told: (check: DescriptionCheck) => void): void {
  $.ajax({
    url: 'pipevine/check-description',
    method: 'POST',
    contentType: 'application/json',
    data: JSON.stringify(description),
  }).then(told, ({ status }: { readonly status: number }) => told({ message: `HTTP ${status}`, description: null }));
}

function tell(message: string | null, text: (key: string) => string): void {
  $('#pipevine-expose-check')
    .css('color', message === null ? '' : 'var(--red-ui-text-color-error)')
    .text(message ?? text('fine'));
}
