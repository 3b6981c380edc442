import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import type { NatKind } from './nat-rules.ts';
import { ADDRESSES, NetworkLab } from './network-lab.ts';
import { type Heard, Probe } from './probe-handle.ts';

const RELAY1 = ADDRESSES['internet.relay1'];
const RELAY2 = ADDRESSES['internet.relay2'];
const LEFT = ADDRESSES['left.router'];
const RIGHT = ADDRESSES['right.router'];

/** A host of the left LAN, and three sockets on the internet: two ports of one host, and another host. */
interface Stage {
  readonly host: Probe;
  readonly first: Probe;
  readonly otherPort: Probe;
  readonly otherHost: Probe;
}

async function stage(lab: NetworkLab): Promise<Stage> {
  const [host, first, otherPort, otherHost] = await Promise.all([
    Probe.open(lab, 'left.host1', 40_000),
    Probe.open(lab, 'internet.relay1', 3478),
    Probe.open(lab, 'internet.relay1', 3479),
    Probe.open(lab, 'internet.relay2', 3478),
  ]);
  return { host, first, otherPort, otherHost };
}

/** As whom each destination hears one inside socket. */
async function mappings({ host, first, otherPort, otherHost }: Stage): Promise<Heard[]> {
  await host.send(RELAY1.ipv4, 3478, 'to first');
  await host.send(RELAY1.ipv4, 3479, 'to other port');
  await host.send(RELAY2.ipv4, 3478, 'to other host');
  return [
    await first.hears('to first'),
    await otherPort.hears('to other port'),
    await otherHost.hears('to other host'),
  ];
}

/** What comes in when only `first` was sent to; waits for what is expected. */
async function letIn({ host, first, otherPort, otherHost }: Stage, expected: readonly string[]): Promise<string[]> {
  await host.send(RELAY1.ipv4, 3478, 'hello');
  const { address, port } = await first.hears('hello');
  await otherHost.send(address, port, 'from another host');
  await otherPort.send(address, port, 'from another port');
  await first.send(address, port, 'answer');
  for (const text of expected) await host.hears(text);
  // One more round trip: what was sent before it has long arrived, if it does.
  await host.send(RELAY1.ipv4, 3478, 'goodbye');
  await first.hears('goodbye');
  await first.send(address, port, 'end');
  await host.hears('end');
  return host.heard.map(({ text }) => text).sort();
}

const NATS: readonly {
  readonly kind: NatKind;
  readonly oneMapping: boolean;
  readonly letsIn: readonly string[];
}[] = [
  { kind: 'cone', oneMapping: true, letsIn: ['answer'] },
  { kind: 'symmetric', oneMapping: false, letsIn: ['answer'] },
  { kind: 'full-cone', oneMapping: true, letsIn: ['from another host', 'from another port', 'answer'] },
];

for (const { kind, oneMapping, letsIn } of NATS) {
  describe(`a ${kind} NAT`, () => {
    let lab: NetworkLab;
    before(async () => {
      lab = await NetworkLab.create({ left: kind });
    });
    after(() => lab.close());

    test(`lets in ${letsIn.join(', ')}`, async () => {
      assert.deepEqual(await letIn(await stage(lab), letsIn), [...letsIn, 'end'].sort());
    });
  });

  test(`a ${kind} NAT has ${oneMapping ? 'one mapping for all destinations' : 'a mapping for each destination'}`, async () => {
    await using lab = await NetworkLab.create({ left: kind });
    const heard = await mappings(await stage(lab));
    for (const { address } of heard) assert.equal(address, LEFT.ipv4);
    assert.equal(new Set(heard.map(({ port }) => port)).size, oneMapping ? 1 : 3);
  });
}

test('nothing comes in through a mapping that was forgotten', async () => {
  for (const left of ['cone', 'full-cone'] as const) {
    await using lab = await NetworkLab.create({ left });
    const { host, first } = await stage(lab);
    await host.send(RELAY1.ipv4, 3478, 'hello');
    const { address, port } = await first.hears('hello');
    await lab.forgetMappings('left');
    await first.send(address, port, 'too late');
    await host.send(RELAY1.ipv4, 3478, 'again');
    const renewed = await first.hears('again');
    await first.send(renewed.address, renewed.port, 'in time');
    await host.hears('in time');
    assert.deepEqual(
      host.heard.map(({ text }) => text),
      ['in time'],
    );
  }
});

/** Both sides know how the relay hears them, and send there. */
async function punch(left: NatKind, right: NatKind): Promise<boolean> {
  await using lab = await NetworkLab.create({ left, right });
  const [a, b, relay] = await Promise.all([
    Probe.open(lab, 'left.host1', 40_000),
    Probe.open(lab, 'right.host1', 40_000),
    Probe.open(lab, 'internet.relay1', 3478),
  ]);
  await a.send(RELAY1.ipv4, 3478, 'a');
  await b.send(RELAY1.ipv4, 3478, 'b');
  const [seenA, seenB] = [await relay.hears('a'), await relay.hears('b')];
  assert.equal(seenA.address, LEFT.ipv4);
  assert.equal(seenB.address, RIGHT.ipv4);
  for (let round = 0; round < 3; round++) {
    await a.send(seenB.address, seenB.port, 'punch');
    await b.send(seenA.address, seenA.port, 'punch');
  }
  // The relay's word to both takes the same lines, later.
  await relay.send(seenA.address, seenA.port, 'end');
  await relay.send(seenB.address, seenB.port, 'end');
  await Promise.all([a.hears('end'), b.hears('end')]);
  return a.heard.some(({ text }) => text === 'punch') || b.heard.some(({ text }) => text === 'punch');
}

test('two cones can be punched through, a cone and a symmetric NAT cannot, a full cone always', async () => {
  assert.equal(await punch('cone', 'cone'), true);
  assert.equal(await punch('cone', 'symmetric'), false);
  assert.equal(await punch('symmetric', 'symmetric'), false);
  assert.equal(await punch('full-cone', 'symmetric'), true);
});

describe('IPv6', () => {
  test('is not translated, and lets in only answers', async () => {
    await using lab = await NetworkLab.create({ ipv6: true });
    const [host, first, other] = await Promise.all([
      Probe.open(lab, 'left.host1', 40_000, 'udp6'),
      Probe.open(lab, 'internet.relay1', 3478, 'udp6'),
      Probe.open(lab, 'right.host1', 3478, 'udp6'),
    ]);
    await other.send(ADDRESSES['left.host1'].ipv6, 40_000, 'unasked');
    await host.send(RELAY1.ipv6, 3478, 'hello');
    const { address, port } = await first.hears('hello');
    assert.deepEqual([address, port], [ADDRESSES['left.host1'].ipv6, 40_000]);
    await first.send(address, port, 'answer');
    await host.hears('answer');
    await host.send(ADDRESSES['right.host1'].ipv6, 3478, 'to the other LAN');
    await other.send(address, port, 'asked for');
    await host.hears('asked for');
    assert.deepEqual(
      host.heard.map(({ text }) => text),
      ['answer', 'asked for'],
    );
  });

  test('does not exist unless asked for', async () => {
    await using lab = await NetworkLab.create();
    const { stdout } = await lab.finish('left.host1', ['ip', '-6', 'addr']);
    assert.equal(stdout, '');
  });
});

describe('a line', () => {
  let lab: NetworkLab;
  let host: Probe;
  let relay: Probe;
  before(async () => {
    lab = await NetworkLab.create();
    host = await Probe.open(lab, 'left.host1', 40_000);
    relay = await Probe.open(lab, 'internet.relay1', 3478);
    await host.send(RELAY1.ipv4, 3478, 'ready');
    await relay.hears('ready');
  });
  after(() => lab.close());

  const numbers = (from: number): number[] =>
    relay.heard
      .slice(from)
      .map(({ text }) => Number(text))
      .filter(Number.isInteger);

  /** Sends a thousand numbered datagrams over the shaped line, and one more when it is good again. */
  async function thousand(end: string): Promise<number[]> {
    const from = relay.heard.length;
    await host.burst(RELAY1.ipv4, 3478, 1000, 100);
    await lab.restore('left');
    for (;;) {
      const { up } = await lab.counters('left');
      if (up.queued === 0) break;
    }
    await host.send(RELAY1.ipv4, 3478, end);
    await relay.hears(end);
    return numbers(from);
  }

  test('loses what it is told to lose, in the direction that was meant', async () => {
    await lab.shape('left', { lossPercent: 10, seed: 7 }, 'up');
    const before = await lab.counters('left');
    const arrived = await thousand('loss is over');
    const { up, down } = await lab.counters('left');
    const lost = up.lost - before.up.lost;
    assert.ok(lost > 60 && lost < 140, `lost ${lost} of 1000, expected about 100`);
    assert.equal(down.lost, before.down.lost);
    assert.ok(Math.abs(1000 - arrived.length - lost) <= 2, `${arrived.length} arrived though ${lost} were lost`);
  });

  test('doubles packets', async () => {
    await lab.shape('left', { duplicatePercent: 5, seed: 7 }, 'up');
    const arrived = await thousand('duplication is over');
    assert.equal(new Set(arrived).size, 1000);
    assert.ok(arrived.length > 1020 && arrived.length < 1090, `${arrived.length} arrived, expected about 1050`);
  });

  test('lets packets overtake others, and loses none by that', async () => {
    await lab.shape('left', { reorderPercent: 5, reorderMs: 20, seed: 7 }, 'up');
    const arrived = await thousand('reordering is over');
    assert.equal(new Set(arrived).size, 1000);
    assert.ok(arrived.some((number, index) => number < (arrived[index - 1] ?? 0)));
  });

  test('keeps the order under jitter', async () => {
    await lab.shape('left', { delayMs: 2, jitterMs: 10, seed: 7 }, 'up');
    const arrived = await thousand('jitter is over');
    assert.deepEqual(
      arrived,
      Array.from({ length: 1000 }, (_, index) => index),
    );
  });

  test('flips bits, which checksums find', async () => {
    const before = await lab.counters('left');
    await lab.shape('left', { corruptPercent: 20, seed: 7 }, 'up');
    const arrived = await thousand('corruption is over');
    const { up } = await lab.counters('left');
    const corrupted = up.corrupted - before.up.corrupted;
    assert.ok(corrupted > 100);
    assert.ok(arrived.length <= 1000 - corrupted + 2 && arrived.every((number) => number < 1000));
  });

  test('delays, and is no faster than its rate', async () => {
    await lab.shape('left', { delayMs: 40 });
    const sentAt = performance.now();
    await host.send(RELAY1.ipv4, 3478, 'delayed');
    const { address, port } = await relay.hears('delayed');
    await relay.send(address, port, 'delayed answer');
    await host.hears('delayed answer');
    assert.ok(performance.now() - sentAt >= 80);
    await lab.restore('left');
    await lab.shape('left', { rateBitsPerSecond: 400_000 });
    const from = performance.now();
    await host.burst(RELAY1.ipv4, 3478, 25, 1000);
    await host.send(RELAY1.ipv4, 3478, 'rate is over');
    await relay.hears('rate is over');
    assert.ok(performance.now() - from >= 500);
    await lab.restore('left');
  });

  test('drops what does not fit into its queue', async () => {
    const before = await lab.counters('left');
    await lab.shape('left', { rateBitsPerSecond: 100_000, queuePackets: 5 }, 'up');
    await host.burst(RELAY1.ipv4, 3478, 100, 100);
    const { up } = await lab.counters('left');
    assert.ok(up.overflowed - before.up.overflowed > 0);
    assert.ok(up.queued <= 5);
    await lab.restore('left');
    await host.send(RELAY1.ipv4, 3478, 'queue is over');
    await relay.hears('queue is over');
  });

  test('swallows packets that are too large without a word', async () => {
    const before = await lab.counters('left');
    const from = relay.heard.length;
    await lab.shape('left', { mtuBytes: 576 }, 'up');
    await host.burst(RELAY1.ipv4, 3478, 1, 549);
    await host.burst(RELAY1.ipv4, 3478, 2, 548);
    await host.send(RELAY1.ipv4, 3478, 'small');
    await relay.hears('small');
    const { up } = await lab.counters('left');
    assert.equal(up.tooLong - before.up.tooLong, 1);
    assert.equal(numbers(from).length, 2);
    await lab.restore('left');
  });

  test('is cut and heals, one direction or both', async () => {
    const heardBefore = relay.heard.length;
    await lab.partition('left');
    await host.send(RELAY1.ipv4, 3478, 'while cut');
    await lab.heal('left');
    await lab.partition('left', 'down');
    await host.send(RELAY1.ipv4, 3478, 'upwards');
    const { address, port } = await relay.hears('upwards');
    await relay.send(address, port, 'downwards');
    await lab.heal('left');
    await relay.send(address, port, 'healed');
    await host.hears('healed');
    assert.deepEqual(
      relay.heard.slice(heardBefore).map(({ text }) => text),
      ['upwards'],
    );
    assert.equal(
      host.heard.some(({ text }) => text === 'downwards'),
      false,
    );
  });

  test('refuses conditions that it does not know', async () => {
    await assert.rejects(lab.shape('left', { lossPercent: Number.NaN }), /lossPercent/);
    await assert.rejects(lab.shape('left', { lossPercent: -1 }), /lossPercent/);
  });
});

describe('the laboratory', () => {
  const namespaces = async (): Promise<string[]> => readdir('/run/netns').catch(() => []);

  test('runs beside another one, with the same addresses', async () => {
    await using one = await NetworkLab.create();
    await using two = await NetworkLab.create();
    const relay = await Probe.open(two, 'internet.relay1', 3478);
    await one.finish('left.host1', ['true']);
    const host = await Probe.open(two, 'right.host2', 5000);
    await host.send(RELAY1.ipv4, 3478, 'hello');
    assert.equal((await relay.hears('hello')).address, RIGHT.ipv4);
  });

  test('ends its programs and leaves nothing behind when it closes', async () => {
    const lab = await NetworkLab.create();
    const sleeper = lab.run('left.host2', ['sleep', '1000']);
    const name = lab.namespace('left.host2');
    assert.ok((await namespaces()).includes(name));
    await lab.close();
    await lab.close();
    assert.equal((await sleeper.ended).signal, 'SIGKILL');
    assert.equal((await namespaces()).includes(name), false);
    assert.throws(() => lab.run('left.host2', ['true']), /closed/);
  });

  test('of a process that was killed is swept away with its programs', async () => {
    const module = new URL('network-lab.ts', import.meta.url).href;
    const script = `
      const { NetworkLab } = await import(${JSON.stringify(module)});
      const lab = await NetworkLab.create();
      lab.run('left.host1', ['sleep', '1000']);
      lab.run('left.host1', ['sh', '-c', 'echo up; sleep 1000']).waitFor((text) => text || undefined, 'up').then(() => console.log(lab.namespace('left.host1')));
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(child.stdout, 'data');
    const name = String(line).trim();
    assert.ok((await namespaces()).includes(name));
    child.kill('SIGKILL');
    await once(child, 'exit');
    const swept = await NetworkLab.sweep();
    assert.ok(swept.includes(name));
    assert.equal((await namespaces()).includes(name), false);
  });
});
