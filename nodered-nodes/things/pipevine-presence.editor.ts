import type { ListedThing } from '../admin/list-things.ts';
import type { EditorRED, PipevineEditor } from '../editor/editor-red.ts';

declare const RED: EditorRED;
declare const pipevine: PipevineEditor;

RED.nodes.registerType('pipevine-presence', {
  category: 'pipevine',
  color: '#86B4C9',
  defaults: {
    name: { value: '' },
    peer: { value: '', type: 'pipevine-peer', required: true },
    scope: { value: 'all' },
    thing: { value: '' },
    thingType: { value: 'str' },
    title: { value: '' },
    connector: { value: '' },
    snapshot: { value: true },
    updates: { value: false },
    version: { value: 1 },
  },
  inputs: 0,
  outputs: 1,
  icon: 'pipevine-presence.svg',
  paletteLabel() {
    return this._('pipevine-presence.palette');
  },
  label() {
    const what = String(this.scope) === 'one' ? this.thing : this.title;
    return this.name || what || this._('pipevine-presence.palette');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
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
    const scope = $('#node-input-scope');
    const show = () => {
      $('.pipevine-presence-one').toggle(scope.val() === 'one');
      $('.pipevine-presence-all').toggle(scope.val() !== 'one');
    };
    scope.on('change', show);
    show();
  },
});
