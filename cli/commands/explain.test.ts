import { PipevineError } from '@pipevine/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakePeer } from '../testing/fake-peer.ts';
import { RunningDaemon } from '../testing/running-daemon.ts';

let daemon: RunningDaemon;
let peer: FakePeer;

beforeEach(async () => {
  peer = new FakePeer();
  daemon = await RunningDaemon.start(peer);
});
afterEach(() => daemon.stop());

const explain = (...args: string[]) => daemon.run('explain', ...args);

/** No way, as it was before anybody tried. */
function away() {
  const { path } = peer;
  const text = 'no way to it now: no address of it is known';
  const summary = { state: 'none', via: [], text, advice: 'Check that it runs.' } as const;
  return { ...path, summary, link: undefined, addresses: [] };
}

describe('pipevine explain', () => {
  it('says first what carries traffic, and tries nothing when something does', async () => {
    const { code, out, err } = await explain('attic');
    expect([code, err]).toEqual([0, '']);
    expect(out.split('\n')[0]).toMatch(/^"attic" \(\w{8}\): direct over tcp, dialled at tcp:\/\/192\.168\.1\.9:7473$/);
    expect(out).toContain('link     tcp://192.168.1.9:7473, round trip 1.3 ms, 10 B in, 20 B out\n');
    expect(peer.calls).toEqual(['explain attic']);
  });

  it('takes a peer by id, by the beginning of it, and by the name of a thing that is at it', async () => {
    const id = peer.path.peer;
    for (const name of [id, id.slice(id.lastIndexOf(':') + 1).slice(0, 8), 'ATTIC']) {
      expect(await explain(name)).toMatchObject({ code: 0, err: '' });
    }
    expect(await explain('Hall lamp')).toMatchObject({ code: 0 });
    expect(peer.calls.at(-1)).toMatch(/^explain urn:pipevine:peer:aiba/);
    expect(await explain('atic')).toMatchObject({ code: 3, err: expect.stringContaining('did you mean "attic"?') });
    expect(await explain('Heater')).toMatchObject({ code: 2 });
  });

  it('tries a peer to which nothing goes, and shows how it stands then', async () => {
    peer.paths = [away()];
    const { code, out } = await explain('attic');
    expect([code, peer.calls]).toEqual([0, ['explain attic', 'home of cellar: connect attic', 'explain attic']]);
    expect(out).toMatch(/: direct over tcp/);
    expect(out).toMatch(/tried {4}just now, reached in \d+ ms\n/);
  });

  it('ends with 1 and says what to do when there is no way', async () => {
    peer.path = away();
    peer.connectError = new PipevineError('timeout', 'Nobody answered.');
    const { code, out } = await explain('attic');
    expect(code).toBe(1);
    expect(out).toContain('tried    just now, not reached: Nobody answered.\n');
    expect(out.trimEnd().endsWith('\nCheck that it runs.')).toBe(true);
  });

  it('says that a peer is away to which there would be a way, but which was not reached', async () => {
    const summary = { state: 'ready', via: [], text: 'one would go over a relay', advice: 'It works.' } as const;
    peer.path = { ...away(), summary };
    peer.connectError = new PipevineError('unreachable', 'No lease there.');
    const { code, out } = await explain('attic');
    expect(code).toBe(1);
    expect(out).toMatch(/: not reached just now; one would go over a relay\n/);
    expect(out).toContain('leaves a message for it');
    expect(await explain('attic', '--no-connect')).toMatchObject({
      code: 0,
      out: expect.stringContaining('It works.'),
    });
  });

  it('tries nothing with --no-connect', async () => {
    peer.path = away();
    expect(await explain('attic', '--no-connect')).toMatchObject({ code: 1 });
    expect(peer.calls).toEqual(['explain attic']);
  });

  it('shows each address with its last attempt, pipes, relays and hole punching', async () => {
    const [home] = peer.path.groups;
    if (home === undefined) throw new Error('no group');
    const relay = peer.path.peer;
    peer.path = {
      ...peer.path,
      pipes: [
        { group: home.id, name: 'log', kind: 'secure', path: { type: 'relayed', via: relay } },
        { group: home.id, name: 'pictures', kind: 'reliable', path: undefined },
        { group: home.id, name: 'pictures', kind: 'reliable', path: undefined },
      ],
      relays: [{ relay, group: home.id, its: true, own: false, linked: true }],
      addresses: [{ address: 'udp://10.0.0.2:1', source: 'local-network' }],
      attempts: [
        { address: 'udp://10.0.0.9:1', outcome: 'timeout', message: 'nothing \u001b[2Jcame', atMs: 0, failures: 3 },
      ],
      punch: { state: 'resting', reason: 'one NAT is symmetric', atMs: 0, candidates: [] },
    };
    const { out } = await explain('attic');
    expect(out).toMatch(/pipe {5}log \(secure\), over relay "attic" \(\w{8}\)\n/);
    expect(out).toContain('pictures (reliable), waiting for a way, 2 times\n');
    expect(out).toMatch(/relay {4}"attic" \(\w{8}\), it leases there, linked\n/);
    expect(out).toContain('address  udp://10.0.0.2:1 (local-network): not tried\n');
    expect(out).toContain(
      'udp://10.0.0.9:1: failed 3 times, last at 1970-01-01T00:00:00.000Z: nothing \ufffd[2Jcame\n',
    );
    expect(out).toContain('punching resting since 1970-01-01T00:00:00.000Z: one NAT is symmetric\n');
  });

  it('tells all of it as one JSON value', async () => {
    const { code, out } = await explain('attic', '--json');
    expect([code, JSON.parse(out)]).toEqual([
      0,
      {
        peer: peer.path.peer,
        name: 'attic',
        host: null,
        state: 'direct',
        via: [{ peer: peer.path.peer, name: 'attic' }],
        text: 'direct over tcp, dialled at tcp://192.168.1.9:7473',
        advice: null,
        trial: null,
        link: {
          peer: peer.path.peer,
          transport: 'tcp',
          address: 'tcp://192.168.1.9:7473',
          rttMs: 1.25,
          bytesIn: 10,
          bytesOut: 20,
          dialled: true,
        },
        groups: [{ id: peer.path.groups[0]?.id, name: 'home of cellar' }],
        pipes: [],
        relays: [],
        addresses: [{ address: 'tcp://192.168.1.9:7473', source: 'advertised' }],
        attempts: [],
        punch: null,
      },
    ]);
  });
});
