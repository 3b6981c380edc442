import type { EditorRED, PipevineEditor } from '../editor/editor-red.ts';

declare const RED: EditorRED;
declare const pipevine: PipevineEditor;

RED.nodes.registerType('pipevine-property', {
  category: 'pipevine',
  color: '#86B4C9',
  defaults: {
    name: { value: '' },
    peer: { value: '', type: 'pipevine-peer', required: true },
    mode: { value: 'read' },
    thing: { value: '' },
    thingType: { value: 'str' },
    property: { value: '' },
    propertyType: { value: 'str' },
    value: { value: 'payload' },
    valueType: { value: 'msg' },
    onChange: { value: true },
    deadband: { value: '' },
    tellStale: { value: true },
    timeout: { value: 10 },
    inputs: { value: 1 },
    version: { value: 1 },
  },
  inputs: 1,
  outputs: 1,
  icon: 'pipevine-property.svg',
  paletteLabel() {
    return this._('pipevine-property.palette');
  },
  label() {
    const what = [this.thing, this.property].filter((part) => part).join('/');
    return this.name || what || this._('pipevine-property.palette');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  outputLabels() {
    return this._('pipevine-property.output');
  },
  oneditprepare() {
    const mode = $('#node-input-mode');
    const onChange = $('#node-input-onChange');
    pipevine.pickThing();
    pipevine.pickAffordance('property', ({ properties }) =>
      properties.filter(({ readOnly }) => mode.val() !== 'write' || !readOnly),
    );
    pipevine.typed('value', 'value');
    const show = () => {
      for (const one of ['read', 'write', 'observe']) {
        if (mode.val() !== one) $(`.pipevine-property-${one}`).hide();
      }
      $(`.pipevine-property-${mode.val()}`).show();
      $('.pipevine-property-deadband').toggle(mode.val() === 'observe' && onChange.is(':checked'));
    };
    mode.on('change', show);
    onChange.on('change', show);
    show();
  },
  oneditsave() {
    Object.assign(this, { inputs: $('#node-input-mode').val() === 'observe' ? 0 : 1 });
  },
  // What a picker or a sidebar puts on the canvas has no dialog behind it.
  onadd() {
    Object.assign(this, { inputs: String(this.mode) === 'observe' ? 0 : 1 });
  },
});
