import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RunningDaemon, runAt } from '../testing/running-daemon.ts';

let daemon: RunningDaemon;

beforeEach(async () => {
  daemon = await RunningDaemon.start();
});

afterEach(() => daemon.stop());

const lines = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('values of things', () => {
  it('reads plainly for a shell, and with the time as JSON', async () => {
    expect(await daemon.run('read', 'hall LAMP', 'temperature')).toEqual({ code: 0, out: '21.5\n', err: '' });
    const { out } = await daemon.run('read', 'Hall lamp', 'temperature', '--json');
    expect(lines(out)).toEqual([{ value: 21.5, timestamp: '2026-11-21T08:00:00.000Z' }]);
  });

  it('writes by the type of the property, silently', async () => {
    expect(await daemon.run('write', 'Hall lamp', 'power', 'on')).toEqual({ code: 0, out: '', err: '' });
    expect(await daemon.run('write', 'Hall lamp', 'mode', 'warm')).toMatchObject({ code: 0 });
    expect(daemon.peer.calls).toEqual([
      'Hall lamp: write power true',
      'Hall lamp: close',
      'Hall lamp: write mode "Warm"',
      'Hall lamp: close',
    ]);
  });

  it('refuses a value of the wrong type before it leaves, and a read-only property', async () => {
    const wrong = await daemon.run('write', 'Hall lamp', 'power', 'bright');
    expect(wrong).toEqual({
      code: 2,
      out: '',
      err: 'pipevine: property "power" of "Hall lamp" takes true or false (on and off will do), not "bright"\n',
    });
    const readOnly = await daemon.run('write', 'Hall lamp', 'temperature', '20');
    expect(readOnly.code).toBe(5);
    expect(readOnly.err).toContain('"temperature" of "Hall lamp" is read-only');
    expect(daemon.peer.calls).toEqual([]);
  });

  it('invokes with and without input, and prints what comes back', async () => {
    expect(await daemon.run('invoke', 'Hall lamp', 'blink')).toEqual({ code: 0, out: '', err: '' });
    expect(await daemon.run('invoke', 'Hall lamp', 'blink', '3')).toEqual({ code: 0, out: '{"blinked":3}\n', err: '' });
    expect((await daemon.run('invoke', 'Hall lamp', 'blink', 'often')).err).toContain('takes a whole number');
  });

  it('exits 3 for what is not found, with the nearest names', async () => {
    const thing = await daemon.run('read', 'Hall lmap', 'power');
    expect(thing.code).toBe(3);
    expect(thing.err).toBe('pipevine: no thing is called "Hall lmap"; did you mean "Hall lamp"?\n');
    const property = await daemon.run('read', 'Hall lamp', 'temprature', '--json');
    expect(property.code).toBe(3);
    expect(lines(property.err)).toEqual([
      {
        error: { code: 'not-found', message: '"Hall lamp" has no property "temprature"; did you mean "temperature"?' },
      },
    ]);
  });

  it('exits 2 for an ambiguous name and lists the candidates, 4 for a device that is silent', async () => {
    const ambiguous = await daemon.run('read', 'heater', 'power');
    expect(ambiguous.code).toBe(2);
    expect(ambiguous.err).toMatch(/"heater" names 2 things: "Heater" \S{12}, "Heater" \S{12}; use more of the id/);
    expect(await daemon.run('read', 'Hall lamp', 'mode')).toMatchObject({ code: 4 });
  });

  it('takes the beginning of an id', async () => {
    const [lamp] = lines((await daemon.run('things', '--json')).out);
    const short = String(lamp.peer).slice('urn:pipevine:peer:'.length).slice(0, 8);
    expect(await daemon.run('read', short, 'power')).toMatchObject({ code: 0 });
    expect(await daemon.run('read', lamp.id, 'power')).toMatchObject({ code: 0 });
  });
});

describe('observing', () => {
  it('prints each value and keeps interruptions apart from them, until it is ended', async () => {
    daemon.peer.notices = [
      { type: 'value', reading: { value: 1, timestampMs: 0 } },
      { type: 'resumed' },
      { type: 'value', reading: { value: 'two', timestampMs: 0 } },
    ];
    const end = new AbortController();
    const seen = await runAt(daemon.home, ['observe', 'Hall lamp', 'temperature'], {
      signal: end.signal,
      onOut: (text) => {
        if (text.includes('two')) end.abort();
      },
    });
    expect(seen).toEqual({ code: 0, out: '1\ntwo\n', err: 'pipevine: resumed\n' });
    await expect.poll(() => daemon.peer.endedObservations).toBe(1);
  });

  it('prints an event, and how many were lost', async () => {
    daemon.peer.notices = [{ type: 'event', data: { key: 1 }, timestampMs: 0, lost: 2 }];
    const end = new AbortController();
    const seen = await runAt(daemon.home, ['observe', 'Hall lamp', 'pressed', '--json'], {
      signal: end.signal,
      onOut: () => end.abort(),
    });
    expect(lines(seen.out)).toEqual([
      { type: 'event', data: { key: 1 }, timestamp: '1970-01-01T00:00:00.000Z', lost: 2 },
    ]);
  });
});

describe('lists', () => {
  it('shows things with the documented members', async () => {
    const [lamp] = lines((await daemon.run('things', '--name', 'Hall lamp', '--json')).out);
    expect(lamp).toEqual({
      name: 'Hall lamp',
      id: expect.stringMatching(/^urn:pipevine:thing:/),
      peer: expect.stringMatching(/^urn:pipevine:peer:/),
      host: daemon.peer.id,
      group: expect.stringMatching(/^urn:pipevine:group:/),
      connector: 'mqtt',
      online: true,
      availability: 'up',
      properties: ['power', 'temperature', 'mode'],
      actions: ['blink'],
      events: ['pressed'],
    });
    expect((await daemon.run('things')).out).toMatch(
      /^NAME +PEER +STATE.*\nHall lamp +\S{8} +up +mqtt +power, temperature, mode +blink +pressed\n/,
    );
  });

  it('shows a neighbour and a member as one peer', async () => {
    expect(lines((await daemon.run('peers', '--json')).out)).toMatchObject([
      { name: 'attic', connected: true, transport: 'tcp', rttMs: 1.25, groups: [expect.any(String)] },
    ]);
  });

  it('discovers by kind, and names the kinds when it is asked for another', async () => {
    expect(lines((await daemon.run('discover', 'peer', '--attr', 'profile=edge', '--json')).out)).toMatchObject([
      { kind: 'peer', name: 'attic', sequence: 3, attributes: { profile: 'edge' }, bodyBytes: 5 },
    ]);
    const wrong = await daemon.run('discover', 'lamps');
    expect(wrong).toMatchObject({ code: 2 });
    expect(wrong.err).toContain('one of peer, group, pipe, thing');
  });

  it('reports the status', async () => {
    const [status] = lines((await daemon.run('status', '--json')).out);
    expect(status).toMatchObject({
      peer: daemon.peer.id,
      name: 'cellar',
      profile: 'gateway',
      version: '0.1.0',
      uptimeMs: 61_000,
      links: [{ transport: 'tcp', address: 'tcp://192.168.1.9:50000', rttMs: 1.25 }],
      memoryBytes: 50_000_000,
      queues: { links: { used: 1, limit: 256, dropped: 0 } },
    });
    expect((await daemon.run('status')).out).toContain('up 1 min 1 s, 50 MB');
  });
});

describe('membership', () => {
  it('invites with a lifetime and uses, and shows a QR code', async () => {
    const made = await daemon.run('invite', '--lifetime', '15min', '--uses', '3');
    expect(made.code).toBe(0);
    expect(made.out).toContain('BCODE');
    expect(made.out).toContain('[QR of pipevine://join/BCODE?seed=tcp%3A%2F%2F192.168.1.5%3A7473]');
    expect(daemon.peer.calls).toEqual(['invite 900000 3']);
    const [json] = lines((await daemon.run('invite', '--json')).out);
    expect(json.link).toBe('pipevine://join/BCODE?seed=tcp%3A%2F%2F192.168.1.5%3A7473');
    expect(await daemon.run('invite', '--lifetime', 'soon')).toMatchObject({ code: 2 });
  });

  it('joins through the daemon and hands it the seeds; a code that ran out exits 5', async () => {
    const joined = await daemon.run('join', 'BCODE', '--seed', 'tcp://10.0.0.1:7473');
    expect(joined).toEqual({ code: 0, out: 'Joined home of cellar.\n', err: '' });
    expect(daemon.peer.calls).toEqual(['join BCODE', 'joined by tcp://10.0.0.1:7473']);
    expect(await daemon.run('join', 'BOLD')).toMatchObject({
      code: 5,
      err: 'pipevine: the code has run out; ask for another\n',
    });
  });
});

describe('usage', () => {
  it('says how to start a daemon where there is none', async () => {
    const home = join(tmpdir(), 'pipevine-no-such-home');
    rmSync(home, { recursive: true, force: true });
    expect(await runAt(home, ['things'])).toEqual({
      code: 1,
      out: '',
      err: `pipevine: no pipevine is running on ${home}; start one with: pipevine up --home ${home}\n`,
    });
  });

  it.each([
    [['thingz'], 'there is no command "thingz"; did you mean "things"?'],
    [['read', 'lamp'], '"read" needs PROPERTY; `pipevine help read` shows how'],
    [[], 'expected a command'],
    [['up', '--prt', '1'], '"up" has no option --prt'],
    [['status', '--timeout', 'long'], '--timeout: expected seconds, up to a day, not "long"'],
    [['up', '--profile', 'router'], '--profile: expected edge or gateway, not "router"'],
    [['up', '--mqtt', 'mqtt://u:secret@h'], 'a password in the address is visible to all'],
    [['up', '--profile', 'edge', '--mqtt', 'mqtt://h'], 'an edge peer has no MQTT'],
  ])('exits 2 in one line for %j', async (args, message) => {
    const result = await daemon.run(...args);
    expect(result.code).toBe(2);
    expect(result.err).toContain(message);
    expect(result.err.trimEnd().split('\n')).toHaveLength(1);
    expect(result.err).not.toContain('secret');
  });

  it('prints the help of a command, with the variables', async () => {
    const { code, out } = await daemon.run('help', 'up');
    expect(code).toBe(0);
    expect(out).toContain('PIPEVINE_MQTT_LISTEN');
    expect(out).toContain('--home DIR');
  });

  it('takes a negative number as a value, not as an option', async () => {
    expect((await daemon.run('write', 'Hall lamp', 'power', '-5')).err).toContain('not "-5"');
  });
});
