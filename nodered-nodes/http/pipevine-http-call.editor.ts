import type { ListedPeer } from '../admin/list-peers.ts';
import type { ListedPipe } from '../admin/list-pipes.ts';
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
    pipevine.typedPick<ListedPipe>(
      '#node-input-pipe',
      '#node-input-pipeType',
      'pipes',
      ({ name, peer }) => ({ value: name, label: name, detail: peer.slice(-52, -44) }),
      { query: () => ({ kind: 'secure' }) },
    );
    pipevine.typedPick<ListedPeer>('#node-input-target', '#node-input-targetType', 'peers', ({ id, name }) => ({
      value: id,
      label: name || id,
      detail: id.slice(-52, -44),
    }));
    $('#node-input-path').typedInput({
      default: 'str',
      typeField: $('#node-input-pathType'),
      types: ['str', 'msg', 'flow', 'global', 'env', 'jsonata'],
    });
    $('#node-input-headers').typedInput({
      default: 'json',
      typeField: $('#node-input-headersType'),
      types: ['json', 'msg', 'flow', 'global', 'env', 'jsonata'],
    });
    $('#node-input-query').typedInput({
      default: 'json',
      typeField: $('#node-input-queryType'),
      types: ['json', 'msg', 'flow', 'global', 'env', 'jsonata'],
    });
    $('#node-input-payload').typedInput({
      default: 'msg',
      typeField: $('#node-input-payloadType'),
      types: ['msg', 'flow', 'global', 'str', 'num', 'bool', 'json', 'bin', 'env', 'jsonata'],
    });
    const method = $('#node-input-method');
    const show = () => $('.pipevine-http-call-body').toggle(method.val() !== 'GET' && method.val() !== 'HEAD');
    method.on('change', show);
    show();
  },
});
