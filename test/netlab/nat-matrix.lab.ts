import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { LabDaemon } from './lab-daemon.ts';
import type { NatKind } from './nat-rules.ts';
import type { Place } from './network-lab.ts';
import { NumberedPipe } from './numbered-pipe.ts';
import { explained, type IpVersion, Overlay } from './overlay.ts';
import { Thermometer } from './thermometer.ts';
import { until } from './until.ts';

/** From the first attempt until the first message is there. */
const CONNECT_MS = 3_000;
/** Until a pipe that can go directly does, and who sends knows. */
const DIRECT_MS = 10_000;
/** Until a peer has given up punching for now. */
const GIVE_UP_MS = 30_000;
/** Until a device that its gateway stands for is known on the other side. */
const FIND_MS = 10_000;
const TEST_MS = 120_000;

const NATS: readonly NatKind[] = ['cone', 'symmetric', 'full-cone'];
const CELLS: readonly { readonly ip: IpVersion; readonly hosts: readonly [left: Place, right: Place] }[] = [
  { ip: 'ipv4', hosts: ['left.host1', 'right.host1'] },
  { ip: 'ipv6', hosts: ['left.host2', 'right.host2'] },
];

/** Whether packets can be made to come through: a symmetric NAT's next port is known to nobody who filters by port. */
function canPunch(left: NatKind, right: NatKind, ip: IpVersion): boolean {
  if (ip === 'ipv6') return true;
  if (left === 'symmetric') return right === 'full-cone';
  return right !== 'symmetric' || left === 'full-cone';
}

describe('between a LAN on the left and one on the right', () => {
  for (const left of NATS) {
    for (const right of NATS) {
      test(`${left} and ${right}`, { timeout: TEST_MS }, async (t) => {
        await using overlay = await Overlay.create({ left, right, ipv6: true });
        await Promise.all(
          CELLS.map(({ ip, hosts: [near, far] }) =>
            t.test(ip, async (cell) => {
              const [a, b] = await Promise.all([
                overlay.member({ place: near, name: `left-${ip}`, ip }),
                overlay.member({ place: far, name: `right-${ip}`, ip, profile: 'gateway' }),
              ]);
              await Thermometer.start(overlay.lab, far, 'mqtt://127.0.0.1:1883', `Hall ${ip}`);
              await connects(a, b, canPunch(left, right, ip), (text) => cell.diagnostic(text));
            }),
          ),
        );
      });
    }
  }
});

async function connects(a: LabDaemon, b: LabDaemon, direct: boolean, tell: (text: string) => void): Promise<void> {
  const from = performance.now();
  const pipe = await NumberedPipe.open(a, b, `${a.name} to ${b.name}`);
  tell(`first message after ${pipe.firstMs.toFixed(0)} ms`);
  assert.ok(pipe.firstMs < CONNECT_MS, `the first message took ${pipe.firstMs.toFixed(0)} ms`);
  const thing = await until('a thing on the other side', FIND_MS, async () =>
    (await a.list('things')).find(({ host, online }) => host === b.peer && online === true),
  );
  assert.equal((await a.call('read', { thing: String(thing.id), property: 'temperature' })).value, 20);
  pipe.start();
  const path = await settled(a, b, direct);
  tell(`${path} after ${(performance.now() - from).toFixed(0)} ms`);
  await pipe.stop();
}

/** How the pipe goes in the end, which both sides must say. */
async function settled(a: LabDaemon, b: LabDaemon, direct: boolean): Promise<string> {
  let seen: unknown;
  return until(
    `the pipe to be ${direct ? 'direct' : 'relayed for good'}`,
    direct ? DIRECT_MS : GIVE_UP_MS,
    async () => {
      const [there, back] = await Promise.all([explained(a, b), explained(b, a)]);
      seen = { there, back };
      const paths = [there, back].map(({ pipes }) => pipes[0]?.path?.type);
      if (direct) return paths.every((path) => path === 'direct') && there.link !== null ? 'direct' : undefined;
      assert.deepEqual(paths, ['relayed', 'relayed']);
      const gaveUp = [there, back].some(({ punch }) => punch?.state === 'resting' || punch?.state === 'impossible');
      return gaveUp ? `relayed (${there.punch?.reason ?? back.punch?.reason})` : undefined;
    },
    () => seen,
  );
}
