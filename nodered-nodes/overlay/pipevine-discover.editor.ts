import type { EditorRED, PipevineEditor } from '../editor/editor-red.ts';

declare const RED: EditorRED;
declare const pipevine: PipevineEditor;

RED.nodes.registerType('pipevine-discover', {
  category: 'pipevine',
  color: '#C9B48F',
  defaults: {
    name: { value: '' },
    peer: { value: '', type: 'pipevine-peer', required: true },
    mode: { value: 'snapshot' },
    kind: { value: 'thing' },
    filter: { value: '' },
    filterType: { value: 'str' },
    attributes: { value: '{}' },
    attributesType: { value: 'json' },
    target: { value: '' },
    targetType: { value: 'str' },
    output: { value: 'list' },
    limit: { value: 100 },
    timeout: { value: 2 },
    body: { value: false },
    version: { value: 1 },
  },
  inputs: 1,
  outputs: 1,
  icon: 'pipevine-discover.svg',
  paletteLabel() {
    return this._('pipevine-discover.palette');
  },
  label() {
    return (
      this.name ||
      [this.kind, this.filterType === 'str' ? this.filter : ''].filter((part) => part).join(' ') ||
      this._('pipevine-discover.palette')
    );
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    pipevine.typed('filter', 'text');
    pipevine.typed('attributes', 'json');
    pipevine.pickMember();
    const mode = $('#node-input-mode');
    const show = () => $('.pipevine-discover-snapshot').toggle(mode.val() === 'snapshot');
    mode.on('change', show);
    show();
  },
});
