import type { PeerTest } from '../admin/test-peer.ts';
import type { EditorRED } from '../editor/editor-red.ts';

declare const RED: EditorRED;

/** Hidden by `oneditprepare` where they say nothing. */
const WAYS = ['code', 'group', 'local'];

RED.nodes.registerType('pipevine-peer', {
  category: 'config',
  color: '#8FB996',
  defaults: {
    name: { value: '' },
    join: { value: 'local' },
    group: { value: '' },
    home: { value: '' },
    seeds: { value: '' },
    profile: { value: 'edge' },
    listen: { value: '' },
    multicast: { value: true },
    offline: { value: 'queue' },
    queueLimit: { value: 1000 },
    lingerSeconds: { value: 5 },
    version: { value: 1 },
  },
  credentials: {
    code: { type: 'password' },
    password: { type: 'password' },
  },
  label() {
    return this.name || this._('pipevine-peer.palette');
  },
  oneditprepare() {
    const join = $('#node-config-input-join');
    const profile = $('#node-config-input-profile');
    const offline = $('#node-config-input-offline');
    const show = () => {
      for (const way of WAYS) $(`.pipevine-peer-${way}`).toggle(join.val() === way);
      $('.pipevine-peer-listen').toggle(profile.val() === 'gateway');
      $('.pipevine-peer-queue').toggle(offline.val() === 'queue');
    };
    for (const field of [join, profile, offline]) field.on('change', show);
    show();

    const id = this.id;
    const result = $('#pipevine-peer-result');
    const button = $('#pipevine-peer-test');
    const text = (key: string) => RED._(`@pipevine/node-red/pipevine-peer:pipevine-peer.${key}`);
    const field = (name: string) => String($(`#node-config-input-${name}`).val() ?? '');
    button.on('click', () => {
      const credentials: Record<string, string> = {};
      // An untouched one shows a placeholder; the saved one is on the server.
      for (const name of ['code', 'password']) if (field(name) !== '__PWRD__') credentials[name] = field(name);
      const config = {
        name: field('name'),
        join: field('join'),
        group: field('group'),
        home: field('home'),
        seeds: field('seeds'),
        profile: field('profile'),
        multicast: $('#node-config-input-multicast').is(':checked'),
      };
      button.prop('disabled', true);
      result.text(text('test.running'));
      $.ajax({
        url: `pipevine/peer/${encodeURIComponent(id)}/test`,
        method: 'POST',
        contentType: 'application/json',
        data: JSON.stringify({ config, credentials }),
      }).then(
        (answer: PeerTest) => {
          button.prop('disabled', false);
          result.text([text(`test.${answer.result}`), answer.message].filter((part) => part !== '').join(' '));
        },
        (failure: { readonly status: number }) => {
          button.prop('disabled', false);
          result.text(`${text('test.failed')} HTTP ${failure.status}`);
        },
      );
    });
  },
});
