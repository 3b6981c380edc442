import type { EditorRED, PipevineEditor } from '../editor/editor-red.ts';

declare const RED: EditorRED;
declare const pipevine: PipevineEditor;

RED.nodes.registerType('pipevine-response', {
  category: 'pipevine',
  color: '#8FB996',
  defaults: {
    name: { value: '' },
    payload: { value: 'payload' },
    payloadType: { value: 'msg' },
    format: { value: '' },
    version: { value: 1 },
  },
  inputs: 1,
  outputs: 0,
  align: 'right',
  icon: 'pipevine-response.svg',
  paletteLabel() {
    return this._('pipevine-response.palette');
  },
  label() {
    return this.name || this._('pipevine-response.palette');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    pipevine.typed('payload', 'bytes');
  },
});
