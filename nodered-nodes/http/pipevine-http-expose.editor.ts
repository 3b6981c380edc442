import type { EditorRED } from '../editor/editor-red.ts';

declare const RED: EditorRED;

RED.nodes.registerType('pipevine-http-expose', {
  category: 'pipevine',
  color: '#B9A3C9',
  defaults: {
    name: { value: '' },
    peer: { value: '', type: 'pipevine-peer', required: true },
    pipe: { value: '', required: true },
    paths: { value: '' },
    roles: { value: '' },
    auth: { value: 'settings' },
    maxMegabytes: { value: 5 },
    timeout: { value: 120 },
    version: { value: 1 },
  },
  inputs: 0,
  outputs: 0,
  icon: 'pipevine-http-expose.svg',
  paletteLabel() {
    return this._('pipevine-http-expose.palette');
  },
  label() {
    return this.name || this.pipe || this._('pipevine-http-expose.palette');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
});
