import {
  createEdgePeer,
  createPeer,
  type GroupId,
  type Peer,
  type PeerGroup,
  type PeerId,
  PipevineError,
  type ThingHandlers,
  type ThingInit,
  type Transport,
} from '@pipevine/runtime';
import { MemoryNetwork, MemoryStorage, memoryPlatform, seededRandom, VirtualClock } from '@pipevine/transports';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OPERATIONS, type Operation } from '../../runtime/group/access.ts';
import { ROLES } from '../../runtime/group/capability.ts';
import { accessTable, WHO, type Who } from './access-table.ts';
import { DRIVERS, PROGRAM_PIPE } from './operation-drivers.ts';
import { identityOf, outcomeOf, RawMember, seedOf } from './raw-member.ts';

const ADDRESS = 'mem://target:7';
const DAY_MS = 86_400_000;
/** Longer than a credential is valid. */
const LONG_AWAY_MS = 50 * DAY_MS;

const clock = new VirtualClock();
const network = new MemoryNetwork({ clock, seed: 1 });
const askers = new Map<Who, RawMember>();
let target: Peer;

/** What the target serves, each time anew. */
const LAMP: ThingInit = {
  title: 'Hall lamp',
  properties: { brightness: { type: 'integer', observable: true } },
  actions: { blink: { input: { type: 'integer' }, output: { type: 'string' } } },
  events: { pressed: { data: { type: 'string' } } },
};
/** How often a program at the target was called. */
let calls = 0;
const HANDLERS: ThingHandlers = {
  readProperty: async () => ({ value: ++calls, timestampMs: clock.wallMs() }),
  writeProperty: async () => void calls++,
  invokeAction: async () => String(++calls),
};

/** Lets the target look for direct ways; it reaches nobody. */
const probing: Transport = {
  schemes: ['udp'],
  dial: () => Promise.reject(new PipevineError('unreachable', 'Nobody is there.')),
  listen: async (address) => ({ addresses: [address], close: async () => undefined }),
  probes: () => ({ send: () => undefined, close: () => undefined }),
};

async function boot(name: string, make: typeof createPeer, disk?: MemoryStorage) {
  const process = network.boot(name);
  const storage = disk?.crash(process.clock) ?? new MemoryStorage({ clock: process.clock });
  const memory = memoryPlatform({ process, random: seededRandom(`${name} ${clock.monotonicMs()}`), storage });
  const platform = { ...memory, transports: [...memory.transports, probing] };
  const settings = { platform, seed: seedOf(name), name, listen: [`mem://${name}:7`, 'udp://192.0.2.1:7'] };
  const roles = name === 'target' ? { roles: ['gateway'], rendezvous: 'always' as const } : {};
  const peer = await clock.run(make({ ...settings, ...roles }));
  return { peer, process, storage };
}

/** Joins as an ordinary peer, and is gone: its identity and its credential are left. */
async function credentialOf(who: string, group: GroupId, roles: readonly string[]): Promise<Uint8Array> {
  const code = await clock.run(target.invite(group, { roles }));
  const { peer, process } = await boot(who, createEdgePeer);
  const joined = await clock.run(peer.join(code, { addresses: [ADDRESS] }));
  const credential = joined.credential;
  process.crash();
  if (credential === undefined) throw new Error(`${who} has no credential`);
  expect(credential.roles).toEqual(roles);
  return credential.encoded;
}

function groupOf(peer: Peer): PeerGroup {
  const [group] = peer.groups;
  if (group === undefined) throw new Error('The target is in no group.');
  return group;
}

beforeAll(async () => {
  const first = await boot('target', createPeer);
  target = first.peer;
  const { id: group } = await clock.run(target.createGroup({ name: 'home' }));
  const credentials = new Map<Who, Uint8Array>();
  credentials.set('expired', await credentialOf('expired', group, ['member']));

  first.process.crash();
  clock.stepWall(LONG_AWAY_MS);
  target = (await boot('target', createPeer, first.storage)).peer;
  await clock.runFor(60_000);

  for (const role of ROLES.keys()) credentials.set(whoOf(role), await credentialOf(role, group, [role]));
  credentials.set('revoked', await credentialOf('revoked', group, ['member']));
  await clock.run(groupOf(target).revoke(identityOf('revoked').id));
  credentials.set('stranger', new Uint8Array(0));
  // Of somebody else, who has every right.
  credentials.set('impostor', credentials.get('administrator') ?? new Uint8Array(0));

  const home = groupOf(target);
  await clock.run(home.expose(LAMP, HANDLERS));
  home.serve({ name: PROGRAM_PIPE, kinds: ['request'] }, async (body) => {
    calls++;
    return body;
  });
  await clock.runFor(5_000);
  for (const who of WHO) askers.set(who, asker(who, group, target.id, credentials.get(who)));
});

afterAll(async () => {
  await clock.run(target.close());
});

function whoOf(role: string): Who {
  const who = WHO.find((one) => one === role);
  if (who === undefined) throw new Error(`The role ${role} has no column in the table.`);
  return who;
}

function asker(who: Who, group: GroupId, peer: PeerId, credential: Uint8Array | undefined): RawMember {
  if (credential === undefined) throw new Error(`${who} has no credential`);
  const common = { network, name: `raw-${who}`, group, credential };
  return new RawMember({ ...common, identity: identityOf(who), target: { peer, address: ADDRESS } });
}

/** What the asker saw of one attempt. */
async function attempt(operation: Operation, who: Who) {
  const raw = askers.get(who);
  if (raw === undefined) throw new Error(`Nobody plays ${who}.`);
  return clock.run(outcomeOf(DRIVERS[operation](raw)));
}

const table = accessTable();
const operations = Object.keys(OPERATIONS) as Operation[]; // The keys of the table itself.

describe('the table', () => {
  it('has a row for every operation, and a way to ask each', () => {
    expect(table.map(({ operation }) => operation).sort()).toEqual([...operations].sort());
    expect(Object.keys(DRIVERS).sort()).toEqual([...operations].sort());
  });

  it('has a column for every role', () => {
    expect([...ROLES.keys()].filter((role) => !WHO.some((who) => who === role))).toEqual([]);
  });
});

describe.each(operations)('%s', (operation) => {
  const row = table.find((one) => one.operation === operation);

  it.each(WHO)('asked by: %s', async (who) => {
    const before = calls;
    const seen = await attempt(operation, who);
    if (seen !== 'served') expect(calls, 'calls of the program by one who was refused').toBe(before);
    switch (row?.outcomes.get(who)) {
      case 'yes':
        expect(seen).toBe('served');
        break;
      case 'lacks':
        expect(seen).toMatchObject({
          code: 'refused',
          message: expect.stringContaining(`lacks the capability "${OPERATIONS[operation]}"`),
        });
        expect(seen).toMatchObject({ message: expect.stringContaining('pipevine group grant') });
        break;
      case 'unknown':
        expect(seen).toMatchObject({ code: 'refused', message: expect.stringContaining('credential') });
        break;
      case 'expired':
        expect(seen).toMatchObject({ code: 'expired' });
        break;
      case 'revoked':
        expect(seen).toMatchObject({ code: 'revoked' });
        break;
      default:
        throw new Error(`The table says nothing of ${operation} by ${who}.`);
    }
  });
});

it('serves a member on after all of these', async () => {
  expect(await attempt('thing.read', 'member')).toBe('served');
  expect(await attempt('thing.write', 'member')).toBe('served');
});
