import type { EditorRED } from '../editor/editor-red.ts';

declare const RED: EditorRED;

RED.nodes.registerType('pipevine-group', {
  category: 'pipevine',
  color: '#C9B48F',
  defaults: {
    name: { value: '' },
    peer: { value: '', type: 'pipevine-peer', required: true },
    operation: { value: 'members' },
    minutes: { value: 60 },
    uses: { value: 1 },
    roles: { value: '' },
    initial: { value: false },
    inputs: { value: 1 },
    version: { value: 1 },
  },
  inputs: 1,
  outputs: 1,
  icon: 'pipevine-group.svg',
  paletteLabel() {
    return this._('pipevine-group.palette');
  },
  label() {
    return this.name || `${this._('pipevine-group.palette')} ${this.operation}`.trim();
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    const operation = $('#node-input-operation');
    const show = () => {
      $('.pipevine-group-invite').toggle(operation.val() === 'invite' || operation.val() === '');
      $('.pipevine-group-changes').toggle(operation.val() === 'changes');
    };
    operation.on('change', show);
    show();
  },
  oneditsave() {
    Object.assign(this, { inputs: $('#node-input-operation').val() === 'changes' ? 0 : 1 });
  },
});
