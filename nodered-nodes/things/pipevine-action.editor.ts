import type { ListedAffordance, ListedThing } from '../admin/list-things.ts';
import type { EditorRED, PipevineEditor } from '../editor/editor-red.ts';

declare const RED: EditorRED;
declare const pipevine: PipevineEditor;

RED.nodes.registerType('pipevine-action', {
  category: 'pipevine',
  color: '#86B4C9',
  defaults: {
    name: { value: '' },
    peer: { value: '', type: 'pipevine-peer', required: true },
    thing: { value: '' },
    thingType: { value: 'str' },
    action: { value: '' },
    actionType: { value: 'str' },
    input: { value: 'payload' },
    inputType: { value: 'msg' },
    timeout: { value: 10 },
    version: { value: 1 },
  },
  inputs: 1,
  outputs: 1,
  icon: 'pipevine-action.svg',
  paletteLabel() {
    return this._('pipevine-action.palette');
  },
  label() {
    const what = [this.thing, this.action].filter((part) => part).join('/');
    return this.name || what || this._('pipevine-action.palette');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
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
      '#node-input-action',
      '#node-input-actionType',
      'things',
      ({ name, title, type }) => ({ value: name, label: name, detail: title || type }),
      { filter: isNamed, expand: ({ actions }: ListedThing) => actions },
    );
    $('#node-input-input').typedInput({
      default: 'msg',
      typeField: $('#node-input-inputType'),
      types: ['msg', 'flow', 'global', 'str', 'num', 'bool', 'json', 'env', 'jsonata'],
    });
  },
});
