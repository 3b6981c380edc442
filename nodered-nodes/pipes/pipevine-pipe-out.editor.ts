import type { ListedPipe } from '../admin/list-pipes.ts';
import type { EditorRED, PipevineEditor } from '../editor/editor-red.ts';

declare const RED: EditorRED;
declare const pipevine: PipevineEditor;

RED.nodes.registerType('pipevine-pipe-out', {
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
    kind: { value: 'secure' },
    format: { value: 'auto' },
    version: { value: 1 },
  },
  inputs: 1,
  outputs: 0,
  align: 'right',
  icon: 'pipevine-pipe-out.svg',
  paletteLabel() {
    return this._('pipevine-pipe-out.palette');
  },
  label() {
    return this.name || this.pipe || this._('pipevine-pipe-out.palette');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    pipevine.typedPick<ListedPipe>('#node-input-pipe', '#node-input-pipeType', 'pipes', ({ name, kind }) => ({
      value: name,
      label: name,
      detail: kind,
    }));
    pipevine.pickMember();
    pipevine.typed('payload', 'bytes');
  },
});
