import type { EditorRED, PipevineEditor } from '../editor/editor-red.ts';

declare const RED: EditorRED;
declare const pipevine: PipevineEditor;

RED.nodes.registerType('pipevine-presence', {
  category: 'pipevine',
  color: '#86B4C9',
  defaults: {
    name: { value: '' },
    peer: { value: '', type: 'pipevine-peer', required: true },
    scope: { value: 'all' },
    thing: { value: '' },
    thingType: { value: 'str' },
    title: { value: '' },
    connector: { value: '' },
    snapshot: { value: true },
    updates: { value: false },
    version: { value: 1 },
  },
  inputs: 0,
  outputs: 1,
  icon: 'pipevine-presence.svg',
  paletteLabel() {
    return this._('pipevine-presence.palette');
  },
  label() {
    const what = String(this.scope) === 'one' ? this.thing : this.title;
    return this.name || what || this._('pipevine-presence.palette');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    pipevine.pickThing();
    const scope = $('#node-input-scope');
    const show = () => {
      $('.pipevine-presence-one').toggle(scope.val() === 'one');
      $('.pipevine-presence-all').toggle(scope.val() !== 'one');
    };
    scope.on('change', show);
    show();
  },
});
