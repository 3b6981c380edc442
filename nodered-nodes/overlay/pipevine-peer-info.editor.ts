import type { EditorRED, PipevineEditor } from '../editor/editor-red.ts';

declare const RED: EditorRED;
declare const pipevine: PipevineEditor;

RED.nodes.registerType('pipevine-peer-info', {
  category: 'pipevine',
  color: '#C9B48F',
  defaults: {
    name: { value: '' },
    peer: { value: '', type: 'pipevine-peer', required: true },
    target: { value: '' },
    targetType: { value: 'str' },
    timeout: { value: 5 },
    version: { value: 1 },
  },
  inputs: 1,
  outputs: 1,
  icon: 'pipevine-peer-info.svg',
  paletteLabel() {
    return this._('pipevine-peer-info.palette');
  },
  label() {
    return this.name || (this.targetType === 'str' && this.target) || this._('pipevine-peer-info.palette');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    pipevine.pickMember();
  },
});
