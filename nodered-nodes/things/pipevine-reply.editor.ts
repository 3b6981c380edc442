import type { EditorRED, PipevineEditor } from '../editor/editor-red.ts';

declare const RED: EditorRED;
declare const pipevine: PipevineEditor;

RED.nodes.registerType('pipevine-reply', {
  category: 'pipevine',
  color: '#86B4C9',
  defaults: {
    name: { value: '' },
    payload: { value: 'payload' },
    payloadType: { value: 'msg' },
    version: { value: 1 },
  },
  inputs: 1,
  outputs: 0,
  align: 'right',
  icon: 'pipevine-reply.svg',
  paletteLabel() {
    return this._('pipevine-reply.palette');
  },
  label() {
    return this.name || this._('pipevine-reply.palette');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    pipevine.typed('payload', 'bytes');
  },
});
