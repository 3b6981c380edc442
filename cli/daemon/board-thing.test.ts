import { createEdgePeer, createPeer, type Peer, type PeerGroup } from '@pipevine/runtime';
import { MemoryNetwork, MemoryStorage, memoryPlatform, seededRandom, VirtualClock } from '@pipevine/transports';
import { beforeEach, describe, expect, it } from 'vitest';
import { MadeUpBoard } from '../../transports/board/testing/made-up-board.ts';
import { RASPBERRY_PI } from '../../transports/board/testing/raspberry-pi.ts';
import { parseConfig } from '../config/config-file.ts';
import { isSection } from '../config/option-value.ts';
import { prepareBoard, type ShownBoard } from './board-thing.ts';
import { Log } from './log.ts';

let clock: VirtualClock;
let network: MemoryNetwork;
let machine: MadeUpBoard;
let logged: string[];
/** Makes the group, and admits. */
let gateway: Peer;
/** The board runs it. */
let edge: Peer;
let home: PeerGroup;

const SECTION = `board:
  name: Cellar board
  pins:
    - name: door
      line: 17
      direction: in
      edges: both
    - name: pump
      line: 27
      direction: out
  sensors:
    - name: air
      iio: bme280
      channel: temp
      interval: 10
  serial:
    - name: meter
      device: /dev/ttyUSB0
  camera:
    width: 320
  allow: [reboot]
`;

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

async function boot(name: string, make: typeof createPeer): Promise<Peer> {
  const process = network.boot(name);
  const storage = new MemoryStorage({ clock: process.clock });
  const platform = memoryPlatform({ process, random: seededRandom(name), storage });
  return clock.run(
    make({ platform, name, seed: seededRandom(`seed of ${name}`).bytes(32), listen: [`mem://${name}:7`] }),
  );
}

async function join(peer: Peer, roles?: readonly string[]): Promise<PeerGroup> {
  const code = await clock.run(gateway.invite(home.id, roles === undefined ? {} : { roles }));
  return clock.run(peer.join(code));
}

async function show(peer: Peer, text = SECTION): Promise<ShownBoard> {
  const value = parseConfig(text, 'pipevine.yaml').get('board');
  const log = new Log({
    level: 'debug',
    json: false,
    colour: false,
    write: (line) => logged.push(line),
    now: () => new Date(0),
  });
  const section = isSection(value) ? value : undefined;
  const prepare = prepareBoard({ board: { section }, configFile: 'pipevine.yaml' });
  const shown = await clock.run(prepare({ peer, log, platform: machine }));
  // The gateway, which is the rendezvous, hears of it a moment later.
  await clock.runFor(100);
  return shown;
}

async function consume(group: PeerGroup, title = 'Cellar board') {
  const [thing] = await clock.run(all(group.things({ title })));
  if (thing === undefined) throw new Error(`no thing "${title}"`);
  return clock.run(group.consume(thing));
}

beforeEach(async () => {
  clock = new VirtualClock();
  network = new MemoryNetwork({ clock, seed: 'board' });
  machine = new MadeUpBoard(clock, RASPBERRY_PI);
  machine.answer = (command) => (command.includes('--version') ? 'gpioget (libgpiod) v2.2.1' : '0\n');
  machine.onStart = (process) => process.says('ready');
  logged = [];
  gateway = await boot('gateway', createPeer);
  edge = await boot('cellar', createEdgePeer);
  home = await clock.run(gateway.createGroup({ name: 'home' }));
});

describe('the board of a peer', () => {
  it('is a thing of its group, read, written and observed from another peer', async () => {
    await join(edge);
    const shown = await show(edge);
    const board = await consume(home);
    expect((await clock.run(board.readProperty('model'))).value).toBe('Raspberry Pi 4 Model B Rev 1.4');
    expect((await clock.run(board.readProperty('air'))).value).toBe(21.5);
    await clock.run(board.writeProperty('pump', true));
    expect((await clock.run(board.readProperty('pump'))).value).toBe(true);
    expect(machine.process('gpioset').written).toEqual(['set 27=1\n']);
    await expect(clock.run(board.writeProperty('door', true))).rejects.toMatchObject({ code: 'refused' });
    await expect(clock.run(board.writeProperty('pump', 'on'))).rejects.toMatchObject({ code: 'invalid-argument' });

    const doors = board.observeProperty('door')[Symbol.asyncIterator]();
    const edges = board.subscribeEvent('door-edge')[Symbol.asyncIterator]();
    expect((await clock.run(doors.next())).value).toMatchObject({ reading: { value: false } });
    const edgeTold = edges.next();
    await clock.runFor(1_000);
    machine.process('gpiomon').says('1');
    expect((await clock.run(doors.next())).value).toMatchObject({ reading: { value: true } });
    expect((await clock.run(edgeTold)).value).toMatchObject({ type: 'event', data: { edge: 'rising' } });
    await clock.run(shown.close());
    expect(machine.started.filter(({ running }) => running)).toEqual([]);
  });

  it('tells observers of a sensor at its interval, and only what is new', async () => {
    await join(edge);
    await show(edge);
    const board = await consume(home);
    const values: unknown[] = [];
    const watching = (async () => {
      for await (const notice of board.observeProperty('air')) {
        if (notice.type === 'value') values.push(notice.reading.value);
      }
    })();
    await clock.runFor(15_000);
    const before = values.length;
    await clock.runFor(100_000);
    expect(values.length).toBe(before);
    machine.set({ '/sys/bus/iio/devices/iio:device0/in_temp_input': '22000' });
    await clock.runFor(10_000);
    expect(values.at(-1)).toBe(22);
    // Absent for a while, and there again.
    machine.remove('/sys/bus/iio/devices/iio:device0');
    await clock.runFor(60_000);
    expect(logged.filter((line) => line.includes('is not there now'))).toHaveLength(1);
    machine.set({ ...RASPBERRY_PI, '/sys/bus/iio/devices/iio:device0/in_temp_input': '23000' });
    await clock.runFor(10_000);
    expect(values.at(-1)).toBe(23);
    await board.close();
    await clock.run(watching.catch(() => undefined));
  });

  it('is shown in a group that is joined later, under the name of the peer', async () => {
    await show(edge, 'board: true\n');
    expect(await clock.run(all(home.things()))).toEqual([]);
    await join(edge);
    await clock.runFor(1_000);
    const board = await consume(home, 'cellar');
    expect(board.summary.description.actions).toBeUndefined();
  });

  it('starts anew for administrators alone', async () => {
    await join(edge);
    await show(edge);
    const member = await boot('phone', createEdgePeer);
    const there = await join(member);
    await clock.runFor(5_000);
    const asMember = await consume(there);
    await expect(clock.run(asMember.invokeAction('reboot'))).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('is for administrators'),
    });
    expect(machine.powerAsked).toEqual([]);
    const asOwner = await consume(home);
    await clock.run(asOwner.invokeAction('reboot'));
    expect(machine.powerAsked).toEqual(['reboot']);
    await expect(clock.run(asOwner.invokeAction('shutdown'))).rejects.toMatchObject({ code: 'not-found' });
  });

  it('that may not be shown is a warning, and the peer goes on', async () => {
    await join(edge, ['guest']);
    await show(edge);
    expect(logged.join('')).toContain('the board is not shown in "home"');
  });

  it('with a mistake in its section starts nothing', () => {
    const section = { text: '  pins: [1]\n', line: 7 };
    expect(() => prepareBoard({ board: { section }, configFile: '/etc/p.yaml' })).toThrow('/etc/p.yaml:7:9: "pins"');
  });
});

describe('a serial port', () => {
  it('is a pipe, open while somebody has bound it, and of one at a time', async () => {
    await join(edge);
    const shown = await show(edge);
    expect(machine.openPorts).toEqual([]);
    const received: string[] = [];
    const pipe = await clock.run(home.namedPipes.open({ name: 'meter', keep: false }));
    pipe.receive((message) => {
      received.push(new TextDecoder().decode(message));
    });
    await clock.run(pipe.send(new TextEncoder().encode('READ?\r\n')));
    await clock.runFor(1_000);
    const [port] = machine.openPorts;
    expect(port?.settings).toMatchObject({ device: '/dev/ttyUSB0', baud: 9_600 });
    expect(port?.written.map((bytes) => new TextDecoder().decode(bytes))).toEqual(['READ?\r\n']);
    port?.sends(new TextEncoder().encode('230.1 V\r\n'));
    await clock.runFor(1_000);
    expect(received).toEqual(['230.1 V\r\n']);

    const second = await clock.run(home.namedPipes.open({ name: 'meter', keep: false }));
    await clock.run(second.closed);
    expect(shown.status()).toEqual({ 'serial pipe meter': { used: 1, limit: 1, dropped: 1 } });
    expect(port?.closed).toBe(false);

    await clock.run(pipe.close());
    await clock.runFor(1_000);
    expect(port?.closed).toBe(true);
    expect(shown.status()).toMatchObject({ 'serial pipe meter': { used: 0 } });
  });

  it('that is unplugged ends its pipe; one that is absent says so in the log', async () => {
    await join(edge);
    await show(edge);
    const pipe = await clock.run(home.namedPipes.open({ name: 'meter', keep: false }));
    await clock.runFor(1_000);
    machine.remove('/dev/ttyUSB0');
    await machine.openPorts[0]?.close();
    await clock.run(pipe.closed);
    const again = await clock.run(home.namedPipes.open({ name: 'meter', keep: false }));
    await clock.run(again.closed);
    expect(logged.join('')).toContain('pipe "meter": /dev/ttyUSB0 cannot be opened');
  });
});
