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
    pipevine.pickThing();
    pipevine.pickAffordance('event', ({ events }) => events);
  },
});
