import type { ListedAffordance, ListedThing } from '../admin/list-things.ts';
import type { EditorRED, PipevineEditor } from '../editor/editor-red.ts';

declare const RED: EditorRED;
declare const pipevine: PipevineEditor;

RED.nodes.registerType('pipevine-property', {
  category: 'pipevine',
  color: '#86B4C9',
  defaults: {
    name: { value: '' },
    peer: { value: '', type: 'pipevine-peer', required: true },
    mode: { value: 'read' },
    thing: { value: '' },
    thingType: { value: 'str' },
    property: { value: '' },
    propertyType: { value: 'str' },
    value: { value: 'payload' },
    valueType: { value: 'msg' },
    onChange: { value: true },
    deadband: { value: '' },
    tellStale: { value: true },
    timeout: { value: 10 },
    inputs: { value: 1 },
    version: { value: 1 },
  },
  inputs: 1,
  outputs: 1,
  icon: 'pipevine-property.svg',
  paletteLabel() {
    return this._('pipevine-property.palette');
  },
  label() {
    const what = [this.thing, this.property].filter((part) => part).join('/');
    return this.name || what || this._('pipevine-property.palette');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  outputLabels() {
    return this._('pipevine-property.output');
  },
  oneditprepare() {
    const mode = $('#node-input-mode');
    const onChange = $('#node-input-onChange');
    const field = (name: string) => String($(`#node-input-${name}`).val() ?? '');
    const isNamed = ({ id, title }: ListedThing) => field('thing') === id || field('thing') === title;
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
    );
    pipevine.typedPick<ListedAffordance>(
      '#node-input-property',
      '#node-input-propertyType',
      'things',
      ({ name, title, type }) => ({ value: name, label: name, detail: title || type }),
      {
        filter: isNamed,
        expand: ({ properties }: ListedThing) =>
          properties.filter(({ readOnly }) => mode.val() !== 'write' || !readOnly),
      },
    );
    $('#node-input-value').typedInput({
      default: 'msg',
      typeField: $('#node-input-valueType'),
      types: ['msg', 'flow', 'global', 'str', 'num', 'bool', 'json', 'env', 'jsonata'],
    });
    const show = () => {
      for (const one of ['read', 'write', 'observe']) {
        if (mode.val() !== one) $(`.pipevine-property-${one}`).hide();
      }
      $(`.pipevine-property-${mode.val()}`).show();
      $('.pipevine-property-deadband').toggle(mode.val() === 'observe' && onChange.is(':checked'));
    };
    mode.on('change', show);
    onChange.on('change', show);
    show();
  },
  oneditsave() {
    Object.assign(this, { inputs: $('#node-input-mode').val() === 'observe' ? 0 : 1 });
  },
  // What a picker or a sidebar puts on the canvas has no dialog behind it.
  onadd() {
    Object.assign(this, { inputs: String(this.mode) === 'observe' ? 0 : 1 });
  },
});
