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
    pipevine.pickThing();
    pipevine.pickAffordance('action', ({ actions }) => actions);
    pipevine.typed('input', 'value');
  },
});
