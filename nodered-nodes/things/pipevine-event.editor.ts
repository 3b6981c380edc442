import type { ListedAffordance, ListedThing } from '../admin/list-things.ts';
import type { EditorRED, PipevineEditor } from '../editor/editor-red.ts';

declare const RED: EditorRED;
declare const pipevine: PipevineEditor;

RED.nodes.registerType('pipevine-event', {
  category: 'pipevine',
  color: '#86B4C9',
  defaults: {
    name: { value: '' },
    peer: { value: '', type: 'pipevine-peer', required: true },
    thing: { value: '', required: true },
    thingType: { value: 'str' },
    event: { value: '', required: true },
    eventType: { value: 'str' },
    version: { value: 1 },
  },
  inputs: 0,
  outputs: 1,
  icon: 'pipevine-event.svg',
  paletteLabel() {
    return this._('pipevine-event.palette');
  },
  label() {
    const what = [this.thing, this.event].filter((part) => part).join('/');
    return this.name || what || this._('pipevine-event.palette');
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
      '#node-input-event',
      '#node-input-eventType',
      'things',
      ({ name, title, type }) => ({ value: name, label: name, detail: title || type }),
      { filter: isNamed, expand: ({ events }: ListedThing) => events },
    );
  },
});
