import type { EditorRED, PipevineEditor } from '../editor/editor-red.ts';

declare const RED: EditorRED;
declare const pipevine: PipevineEditor;

RED.nodes.registerType('pipevine-http-call', {
  category: 'pipevine',
  color: '#B9A3C9',
  defaults: {
    name: { value: '' },
    peer: { value: '', type: 'pipevine-peer', required: true },
    pipe: { value: '' },
    pipeType: { value: 'str' },
    target: { value: '' },
    targetType: { value: 'str' },
    method: { value: 'GET' },
    path: { value: '' },
    pathType: { value: 'str' },
    headers: { value: '{}' },
    headersType: { value: 'json' },
    query: { value: '{}' },
    queryType: { value: 'json' },
    payload: { value: 'payload' },
    payloadType: { value: 'msg' },
    ret: { value: 'text' },
    timeout: { value: 30 },
    version: { value: 1 },
  },
  inputs: 1,
  outputs: 1,
  icon: 'pipevine-http-call.svg',
  paletteLabel() {
    return this._('pipevine-http-call.palette');
  },
  label() {
    return this.name || (this.pipe && `${this.pipe} ${this.path}`.trim()) || this._('pipevine-http-call.palette');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    pipevine.pickPipe('secure');
    pipevine.pickMember();
    pipevine.typed('path', 'text');
    pipevine.typed('headers', 'json');
    pipevine.typed('query', 'json');
    pipevine.typed('payload', 'bytes');
    const method = $('#node-input-method');
    const show = () => $('.pipevine-http-call-body').toggle(method.val() !== 'GET' && method.val() !== 'HEAD');
    method.on('change', show);
    show();
  },
});
