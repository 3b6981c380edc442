import { expect, it } from 'vitest';
import type { Ready } from '../daemon/daemon.ts';
import { readyText } from './up.ts';

const READY: Ready = {
  event: 'ready',
  peer: 'urn:pipevine:peer:abcdefghijkl',
  name: 'cellar',
  profile: 'gateway',
  group: 'urn:pipevine:group:x',
  groupName: 'home of cellar',
  code: 'AAAAA-BBBBB',
  link: 'pipevine://join/AAAAA',
  codeExpires: '2026-11-22T00:00:00.000Z',
  addresses: ['tcp://127.0.0.1:1'],
  mqtt: [],
  home: '/home/ann',
  pid: 5,
  version: '0.1.0',
};

it('shows a code to join by, and how to stop, to who has started the peer', () => {
  const text = readyText(READY, { qr: undefined, isService: false });
  expect(text).toContain('AAAAA-BBBBB');
  expect(text).toContain('kill 5');
});

it('says in the journal how to get a code', () => {
  const text = readyText({ ...READY, code: null, link: null, codeExpires: null }, { qr: undefined, isService: true });
  expect(text).toContain('sudo pipevine invite');
  expect(text).toContain('systemctl stop pipevine');
});
