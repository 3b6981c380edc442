import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { LabDaemon } from './lab-daemon.ts';
import { ADDRESSES, type NetworkLab } from './network-lab.ts';
import { NumberedPipe } from './numbered-pipe.ts';
import { explained, Overlay } from './overlay.ts';
import { Observation, Thermometer } from './thermometer.ts';
import { until } from './until.ts';

const GATEWAY = ADDRESSES['left.host1'].ipv4;
const READER = ADDRESSES['right.host1'].ipv4;
const OTHER_ADDRESS = '10.71.2.31';
/** Longest until a running pipe goes on after a disturbance whose end nobody tells. */
const GO_ON_MS = 30_000;
const CUT_MS = 60_000;
const SLEEP_MS = 90_000;
/** After a line has healed. */
const LEASES_BACK_MS = 5_000;
const TEST_MS = 180_000;
/** Of a message that needs several small packets. */
const LARGE_BYTES = 1_500;

const text = (words: string): string => Buffer.from(words).toString('base64');

describe('two LANs behind symmetric NATs, and relays between them', { timeout: 2 * TEST_MS }, () => {
  let overlay: Overlay;
  let lab: NetworkLab;
  /** A gateway on the left, with a device, and an edge on the right. */
  let gateway: LabDaemon;
  let reader: LabDaemon;
  let thermometer: Thermometer;
  let observation: Observation;
  let pipe: NumberedPipe;
  let measured = 20;

  before(async () => {
    overlay = await Overlay.create({ left: 'symmetric', right: 'symmetric' });
    lab = overlay.lab;
    [gateway, reader] = await Promise.all([
      overlay.member({ place: 'left.host1', name: 'gateway', profile: 'gateway' }),
      overlay.member({ place: 'right.host1', name: 'reader' }),
    ]);
    thermometer = await Thermometer.start(lab, 'left.host2', `mqtt://${GATEWAY}:1883`, 'Attic');
  });
  after(() => overlay?.close());
  afterEach(async () => {
    await lab.restore('internet');
    await Promise.all([overlay.leased(gateway), overlay.leased(reader)]);
  });

  /** The device measures on and numbers run over the pipe while something happens; both must go on, and nothing be amiss. */
  async function through(disturb: () => Promise<void>, paddingBytes = 0): Promise<number> {
    pipe.start(paddingBytes);
    await pipe.arrived(pipe.sent + 100);
    await disturb();
    const sent = pipe.sent;
    const from = performance.now();
    await thermometer.measure(++measured);
    await pipe.arrived(sent + 1, GO_ON_MS);
    const goesOnMs = performance.now() - from;
    await observation.shows(measured, GO_ON_MS);
    await pipe.stop();
    return goesOnMs;
  }

  test('a device on the left is found and read on the right', async () => {
    const found = await until('the thermometer to be found', 10_000, async () =>
      (await reader.list('things')).find(({ name, online }) => name === 'Attic' && online === true),
    );
    assert.equal(found.host, gateway.peer);
    const { stdout } = await reader.command('read', 'Attic', 'temperature', '--json');
    assert.equal(JSON.parse(stdout).value, measured);
  });

  test('and observed', async () => {
    observation = await Observation.start(reader, 'Attic');
    await thermometer.measure(++measured);
    await observation.shows(measured);
  });

  test('a pipe is relayed, and says so', async () => {
    pipe = await NumberedPipe.open(gateway, reader, 'numbers');
    const { pipes } = await explained(gateway, reader);
    assert.equal(pipes.find(({ name }) => name.includes('numbers'))?.path?.type, 'relayed');
  });

  test('another relay takes over from one that is killed', async (t) => {
    const { pipes } = await explained(gateway, reader);
    const via = pipes.find(({ name }) => name.includes('numbers'))?.path?.via;
    const relay = Object.values(overlay.relays).find(({ peer }) => peer === via);
    assert.ok(relay !== undefined, `the path leads over ${via}`);
    const goesOnMs = await through(() => relay.kill());
    t.diagnostic(`went on after ${goesOnMs.toFixed(0)} ms`);
    await relay.up();
  });

  test('nothing is lost where a tenth of the packets is, and others come twice or late', async () => {
    await through(async () => {
      await lab.shape('left', { lossPercent: 10, duplicatePercent: 1, reorderPercent: 5, delayMs: 10, seed: 7 });
      await pipe.arrived(pipe.sent + 2_000, 60_000);
    }, 200);
  });

  test('a pipe goes on when the router forgets its mappings', async (t) => {
    const goesOnMs = await through(() => lab.forgetMappings('left'));
    t.diagnostic(`went on after ${goesOnMs.toFixed(0)} ms`);
  });

  test('a pipe goes on when the address of the machine changes', async (t) => {
    const goesOnMs = await through(() => changeAddress(lab, READER, OTHER_ADDRESS));
    t.diagnostic(`went on after ${goesOnMs.toFixed(0)} ms`);
  });
});

describe('a long silence', { concurrency: true, timeout: TEST_MS }, () => {
  test('of the line: leases are back at once, what waited is delivered once, and pipes go on', async (t) => {
    await using overlay = await Overlay.create({ left: 'symmetric', right: 'symmetric' });
    const [away, sender] = await Promise.all([
      overlay.member({ place: 'left.host1', name: 'away' }),
      overlay.member({ place: 'right.host1', name: 'sender' }),
    ]);
    const taken: string[] = [];
    const receiving = new AbortController();
    void take(away, taken, receiving.signal);
    const pipe = await NumberedPipe.open(sender, away, 'numbers');
    pipe.start();
    await pipe.arrived(pipe.sent + 100);
    await overlay.lab.partition('left');
    const cutAt = performance.now();
    const states = new Set<unknown>();
    for (let number = 0; number < 10; number++) {
      const { state } = await sender.call('mailbox.send', { peer: away.peer, data: text(`message ${number}`) });
      states.add(state);
    }
    assert.deepEqual([...states], ['stored']);
    await pause(CUT_MS - (performance.now() - cutAt));
    const sent = pipe.sent;
    const healedAt = performance.now();
    await overlay.lab.heal('left');
    await overlay.leased(away, 2, LEASES_BACK_MS);
    t.diagnostic(`leases back after ${(performance.now() - healedAt).toFixed(0)} ms`);
    await until('ten messages', GO_ON_MS, () => (taken.length >= 10 ? true : undefined));
    t.diagnostic(`mailbox drained after ${(performance.now() - healedAt).toFixed(0)} ms`);
    await pipe.arrived(sent + 1, GO_ON_MS);
    t.diagnostic(`pipe went on after ${(performance.now() - healedAt).toFixed(0)} ms`);
    await pipe.stop();
    const expected = Array.from({ length: 10 }, (_, number) => `message ${number}`);
    assert.deepEqual(taken.toSorted(), expected);
    receiving.abort();
  });

  test('of a machine that sleeps: pipes go on when it wakes', async (t) => {
    await using overlay = await Overlay.create({ left: 'symmetric', right: 'symmetric' });
    const [awake, sleeper] = await Promise.all([
      overlay.member({ place: 'left.host1', name: 'awake' }),
      overlay.member({ place: 'right.host1', name: 'sleeper' }),
    ]);
    const pipe = await NumberedPipe.open(awake, sleeper, 'numbers');
    pipe.start();
    await pipe.arrived(pipe.sent + 100);
    sleeper.sleep();
    await pause(SLEEP_MS);
    const sent = pipe.sent;
    const wokenAt = performance.now();
    sleeper.wake();
    await pipe.arrived(sent + 1, GO_ON_MS);
    t.diagnostic(`went on after ${(performance.now() - wokenAt).toFixed(0)} ms`);
    await pipe.stop();
  });
});

describe('large packets that vanish without a word cost time, and no message', () => {
  // What a connection of TCP does about that is the system's affair: Debian's does nothing.
  for (const schemes of [['udp'], ['tcp', 'udp']] as const) {
    test(`where ${schemes.join(' and ')} can be used`, { timeout: TEST_MS }, async (t) => {
      await using overlay = await Overlay.create({ left: 'symmetric', right: 'symmetric', schemes });
      const [left, right] = await Promise.all([
        overlay.member({ place: 'left.host1', name: 'left' }),
        overlay.member({ place: 'right.host1', name: 'right' }),
      ]);
      const pipe = await NumberedPipe.open(left, right, 'numbers');
      pipe.start(LARGE_BYTES);
      await pipe.arrived(pipe.sent + 100);
      const before = await overlay.lab.counters('left');
      await overlay.lab.shape('left', { mtuBytes: 576 });
      const sent = pipe.sent;
      const from = performance.now();
      await pipe.arrived(sent + 100, GO_ON_MS);
      t.diagnostic(`went on after ${(performance.now() - from).toFixed(0)} ms`);
      // Not for a moment only.
      await pipe.arrived(pipe.sent + 1_000, GO_ON_MS);
      const { pipes } = await explained(left, right);
      const via = pipes.find(({ name }) => name.includes('numbers'))?.path?.via;
      const links = (await left.call('status')).links as { readonly peer: string; readonly address: string }[]; // documented in docs/cli.md
      assert.match(links.find(({ peer }) => peer === via)?.address ?? '', /^udp:/);
      await pipe.stop();
      const { up } = await overlay.lab.counters('left');
      assert.ok(up.tooLong > before.up.tooLong, 'nothing was too long');
    });
  }
});

async function changeAddress(lab: NetworkLab, from: string, to: string): Promise<void> {
  const commands = [
    `ip addr del ${from}/24 dev eth0`,
    `ip addr add ${to}/24 dev eth0`,
    'ip route replace default via 10.71.2.1',
  ];
  await lab.finish('right.host1', ['sh', '-ec', commands.join('\n')]);
}

/** Takes what comes by the mailbox. */
async function take(daemon: LabDaemon, taken: string[], signal: AbortSignal): Promise<void> {
  try {
    for await (const { type, message, data } of daemon.items('mailbox.receive', {}, signal)) {
      if (type !== 'message') continue;
      taken.push(Buffer.from(String(data), 'base64').toString());
      await daemon.call('mailbox.taken', { message: String(message) });
    }
  } catch {
    // The laboratory has closed.
  }
}
