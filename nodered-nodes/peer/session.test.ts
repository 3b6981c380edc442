import { chmodSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startTestOverlay, type TestOverlay } from '../testing/test-overlay.ts';
import { identityFolder } from './identity-folder.ts';
import type { OverlaySession, SessionState } from './overlay-session.ts';
import { SessionKeeper } from './session-keeper.ts';
import { type SessionSettings, sessionSettings } from './session-settings.ts';

const settings = async (overlay: TestOverlay, more: object = {}): Promise<SessionSettings> =>
  sessionSettings({ name: 'red', join: 'code', multicast: false, ...more }, { code: await overlay.code({ uses: 1 }) });

function until(session: OverlaySession, holds: (state: SessionState) => boolean): Promise<SessionState> {
  return new Promise((resolve) => {
    const look = (state: SessionState) => {
      if (!holds(state)) return;
      unsubscribe();
      resolve(state);
    };
    const unsubscribe = session.subscribe(look);
    look(session.state);
  });
}

describe('a session', () => {
  it('joins by a code once, and is the same peer and member after a restart', async () => {
    await using overlay = await startTestOverlay();
    const folder = identityFolder(overlay.folder('red'), 'a1b2');
    const wanted = await settings(overlay);
    const first = new SessionKeeper({}).hold(folder, wanted);
    const group = await first.session.ready();
    const id = first.session.peer?.id;
    expect(group.id).toBe(overlay.group.id);
    expect(statSync(folder.identityFile).mode & 0o777).toBe(0o600);
    expect(readFileSync(folder.identityFile, 'utf8')).toMatch(/^pipevine-identity-1:[a-z2-7]{52}\n$/);
    await first.release(0);

    // The code was good for one peer: it is not used again.
    const second = new SessionKeeper({}).hold(folder, wanted);
    await second.session.ready();
    expect(second.session.peer?.id).toBe(id);
    await until(second.session, ({ phase }) => phase === 'online');
    await second.release(0);
    expect(second.session.state.phase).toBe('closed');
  });

  it('says at once when the code is wrong, and makes nothing on the disk', async () => {
    await using overlay = await startTestOverlay();
    const folder = identityFolder(overlay.folder('red'), 'a1b2');
    const held = new SessionKeeper({}).hold(folder, sessionSettings({ join: 'code' }, { code: 'BXXXX' }));
    await expect(held.session.ready()).rejects.toMatchObject({ code: 'invalid-argument' });
    expect(held.session.state.phase).toBe('failed');
    expect(existsSync(folder.path)).toBe(false);
    await held.release(0);
  });

  it('is refused on a folder that another one has, and starts by itself when that one ends', async () => {
    await using overlay = await startTestOverlay();
    const folder = identityFolder(overlay.folder('red'), 'a1b2');
    const wanted = await settings(overlay);
    const first = new SessionKeeper({}).hold(folder, wanted);
    await first.session.ready();
    const second = new SessionKeeper({}).hold(folder, wanted);
    const { error } = await until(second.session, ({ phase }) => phase === 'failed');
    expect(error).toMatchObject({ code: 'busy', message: expect.stringContaining('Another Node-RED') });
    await first.release(0);
    await until(second.session, ({ phase }) => phase === 'online');
    await second.release(0);
  });

  it('refuses an identity that others can read', async () => {
    await using overlay = await startTestOverlay();
    const folder = identityFolder(overlay.folder('red'), 'a1b2');
    const wanted = await settings(overlay);
    const first = new SessionKeeper({}).hold(folder, wanted);
    await first.session.ready();
    await first.release(0);
    chmodSync(folder.identityFile, 0o644);
    const second = new SessionKeeper({}).hold(folder, wanted);
    await expect(second.session.ready()).rejects.toMatchObject({ code: 'permission-denied' });
    await second.release(0);
  });

  it('joins by the password of a group', async () => {
    await using overlay = await startTestOverlay({ policy: { type: 'password' }, password: 'open sesame' });
    const saved = { join: 'group', group: overlay.group.id, seeds: overlay.gateway.addresses, multicast: false };
    const wanted = sessionSettings(saved, { password: 'open sesame' });
    const held = new SessionKeeper({}).hold(identityFolder(overlay.folder('red'), 'a1b2'), wanted);
    expect((await held.session.ready()).id).toBe(overlay.group.id);
    await held.release(0);
  });

  it('says that it is put out when it is, and is no member any more', async () => {
    await using overlay = await startTestOverlay();
    const held = new SessionKeeper({}).hold(identityFolder(overlay.folder('red'), 'a1b2'), await settings(overlay));
    await held.session.ready();
    const { peer } = held.session;
    if (peer !== undefined) await overlay.group.revoke(peer.id);
    const { error } = await until(held.session, ({ phase }) => phase === 'failed');
    expect(error?.code).toMatch(/revoked|refused|expired|not-found/);
    expect(held.session.group).toBeUndefined();
    await held.release(0);
  });
});

describe('the keeper', () => {
  it('keeps the peer while it lingers, when the next one wants the same', async () => {
    await using overlay = await startTestOverlay();
    const keeper = new SessionKeeper({});
    const folder = identityFolder(overlay.folder('red'), 'a1b2');
    const wanted = await settings(overlay);
    const first = keeper.hold(folder, wanted);
    await first.session.ready();
    await first.release(60_000);
    const second = keeper.hold(folder, { ...wanted });
    expect(second.session).toBe(first.session);
    await second.release(0);
    expect(second.session.state.phase).toBe('closed');
  });

  it('lets nothing linger when Node-RED stops, and everything again when it runs', async () => {
    await using overlay = await startTestOverlay();
    const keeper = new SessionKeeper({});
    const lingering = keeper.hold(identityFolder(overlay.folder('red'), 'a1b2'), await settings(overlay));
    const used = keeper.hold(identityFolder(overlay.folder('red'), 'c3d4'), await settings(overlay));
    await Promise.all([lingering.session.ready(), used.session.ready()]);
    await lingering.release(60_000);
    keeper.stop();
    await until(lingering.session, ({ phase }) => phase === 'closed');
    expect(used.session.state.phase).not.toBe('closed');
    await used.release(60_000);
    expect(used.session.state.phase).toBe('closed');
    keeper.start();
    const again = keeper.hold(identityFolder(overlay.folder('red'), 'c3d4'), await settings(overlay));
    await again.session.ready();
    await again.release(60_000);
    expect(again.session.state.phase).not.toBe('closed');
    keeper.stop();
    await until(again.session, ({ phase }) => phase === 'closed');
  });

  it('starts another peer on the folder when the settings have changed, after the first has left it', async () => {
    await using overlay = await startTestOverlay();
    const keeper = new SessionKeeper({});
    const folder = identityFolder(overlay.folder('red'), 'a1b2');
    const wanted = await settings(overlay);
    const first = keeper.hold(folder, wanted);
    await first.session.ready();
    const second = keeper.hold(folder, { ...wanted, name: 'another' });
    await until(second.session, ({ phase }) => phase === 'online');
    expect(first.session.state.phase).toBe('closed');
    expect(second.session.peer?.name).toBe('another');
    await second.release(0);
  });
});

describe('the local gateway', () => {
  /** Answers as the gateway's control socket does. */
  async function controlSocket(overlay: TestOverlay, home: string) {
    mkdirSync(home, { recursive: true });
    const server = createServer((socket) => {
      let text = '';
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        const lines = text.split('\n');
        text = lines.pop() ?? '';
        for (const line of lines) {
          const { id, method, params } = JSON.parse(line);
          const answered = (result: object) => socket.write(`${JSON.stringify({ jsonrpc: '2.0', id, result })}\n`);
          if (method === 'status') answered({ addresses: overlay.gateway.addresses });
          else {
            void overlay.gateway
              .invite(overlay.group.id, params)
              .then((code) => answered({ code, group: overlay.group.id }));
          }
        }
      });
    });
    await new Promise<void>((resolve) => server.listen(join(home, 'control.sock'), resolve));
    return server;
  }

  it('lets a peer in by its socket, with no code', async () => {
    await using overlay = await startTestOverlay();
    const home = overlay.folder('home');
    const server = await controlSocket(overlay, home);
    const wanted = sessionSettings({ join: 'local', home, multicast: false }, {});
    const held = new SessionKeeper({}).hold(identityFolder(overlay.folder('red'), 'a1b2'), wanted);
    expect((await held.session.ready()).id).toBe(overlay.group.id);
    await held.release(0);
    server.close();
  });

  it('is waited for where none runs, and that is said', async () => {
    await using overlay = await startTestOverlay();
    const home = overlay.folder('home');
    const wanted = sessionSettings({ join: 'local', home, multicast: false }, {});
    const held = new SessionKeeper({}).hold(identityFolder(overlay.folder('red'), 'a1b2'), wanted);
    const { error } = await until(held.session, (state) => state.error !== undefined);
    expect(error).toMatchObject({ code: 'unreachable', message: expect.stringContaining('pipevine up') });
    const server = await controlSocket(overlay, home);
    await until(held.session, ({ phase }) => phase === 'online');
    await held.release(0);
    server.close();
  });
});
