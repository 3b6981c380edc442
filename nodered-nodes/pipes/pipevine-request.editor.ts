import type { EditorRED, PipevineEditor } from '../editor/editor-red.ts';

declare const RED: EditorRED;
declare const pipevine: PipevineEditor;

RED.nodes.registerType('pipevine-request', {
  category: 'pipevine',
  color: '#8FB996',
  defaults: {
    name: { value: '' },
    peer: { value: '', type: 'pipevine-peer', required: true },
    pipe: { value: '' },
    pipeType: { value: 'str' },
    target: { value: '' },
    targetType: { value: 'str' },
    payload: { value: 'payload' },
    payloadType: { value: 'msg' },
    format: { value: 'auto' },
    replyFormat: { value: '' },
    timeout: { value: 10 },
    version: { value: 1 },
  },
  inputs: 1,
  outputs: 1,
  icon: 'pipevine-request.svg',
  paletteLabel() {
    return this._('pipevine-request.palette');
  },
  label() {
    return this.name || this.pipe || this._('pipevine-request.palette');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    pipevine.pickPipe('request');
    pipevine.pickMember();
    pipevine.typed('payload', 'bytes');
  },
});
