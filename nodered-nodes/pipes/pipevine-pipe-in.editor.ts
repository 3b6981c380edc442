import type { ListedPipe } from '../admin/list-pipes.ts';
import type { EditorRED, PipevineEditor } from '../editor/editor-red.ts';

declare const RED: EditorRED;
declare const pipevine: PipevineEditor;

RED.nodes.registerType('pipevine-pipe-in', {
  category: 'pipevine',
  color: '#8FB996',
  defaults: {
    name: { value: '' },
    peer: { value: '', type: 'pipevine-peer', required: true },
    pipe: { value: '', required: true },
    kind: { value: 'secure' },
    format: { value: 'auto' },
    timeout: { value: 30 },
    version: { value: 1 },
  },
  inputs: 0,
  outputs: 1,
  icon: 'pipevine-pipe-in.svg',
  paletteLabel() {
    return this._('pipevine-pipe-in.palette');
  },
  label() {
    return this.name || this.pipe || this._('pipevine-pipe-in.palette');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    pipevine.pick<ListedPipe>('#node-input-pipe', 'pipes', ({ name, kind }) => ({
      value: name,
      label: name,
      detail: kind,
    }));
    const kind = $('#node-input-kind');
    const show = () => $('.pipevine-pipe-in-request').toggle(kind.val() === 'request');
    kind.on('change', show);
    show();
  },
});
