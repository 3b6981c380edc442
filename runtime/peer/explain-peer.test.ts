import { expect, it } from 'vitest';
import type { DialAttempt } from '../endpoint/dial-book.ts';
import { groupIdFromBytes } from '../id/group-id.ts';
import { type PeerId, peerIdFromBytes } from '../id/peer-id.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import { type ExplainPeerInit, explainPeer } from './explain-peer.ts';
import type { PathPipe, PathState } from './path-report.ts';

const idOf = (byte: number): PeerId => peerIdFromBytes(new Uint8Array(32).fill(byte));
const SELF = idOf(1);
const OTHER = idOf(2);
const HOST = idOf(3);
const RELAY = idOf(4);
const HOME = groupIdFromBytes(new Uint8Array(32).fill(9));
const AT_MS = Date.UTC(2026, 10, 21, 8);

interface World {
  readonly links?: readonly (readonly [peer: PeerId, address: EndpointAddress, dialled: boolean])[];
  readonly attempts?: readonly (readonly [
    outcome: DialAttempt['outcome'],
    address: EndpointAddress,
    message?: string,
  ])[];
  readonly pipes?: readonly PathPipe['path'][];
  readonly host?: PeerId;
  readonly hosted?: boolean;
  readonly relays?: readonly PeerId[];
  readonly ownRelays?: readonly PeerId[];
  readonly addresses?: ExplainPeerInit['addresses'];
  readonly stranger?: boolean;
  readonly punch?: ReturnType<NonNullable<ExplainPeerInit['punch']>['report']>;
}

function explain(world: World, peer = OTHER) {
  const traffic = { bytesIn: 10, bytesOut: 20, recordsIn: 1, recordsOut: 1, dropped: 0, unknownFrames: 0 };
  return explainPeer(peer, {
    localPeer: SELF,
    hosts: () => world.hosted === true,
    nameOf: (id) => (id === RELAY ? 'attic' : ''),
    endpoint: {
      linkTo: (wanted) => {
        const found = world.links?.find(([id]) => id === wanted);
        return found && { remotePeer: found[0], remoteAddress: found[1], dialled: found[2], rttMs: 1.5, traffic };
      },
      attempts: (wanted) =>
        wanted !== (world.host ?? OTHER)
          ? []
          : (world.attempts ?? []).map(([outcome, address, message = '']) => ({
              outcome,
              address,
              message,
              atMs: AT_MS,
              failures: outcome === 'linked' ? 0 : 1,
            })),
    },
    pipes: { pathsTo: () => (world.pipes ?? []).map((path) => ({ group: HOME, name: 'log', kind: 'secure', path })) },
    routes: {
      hostOf: () => world.host,
      relaysOf: (of) => (of === OTHER ? (world.relays ?? []) : []),
    },
    addresses: world.addresses ?? [],
    sharedGroups: () => (world.stranger === true ? [] : [{ id: HOME, name: 'home' }]),
    ownRelays: () => world.ownRelays ?? [],
    ...(world.punch && { punch: { report: () => world.punch } }),
  });
}

const told = (addresses: readonly EndpointAddress[]): ExplainPeerInit['addresses'] => [['advertised', () => addresses]];

const CASES: readonly (readonly [what: string, world: World, state: PathState, text: string | RegExp])[] = [
  ['a peer that this process hosts', { hosted: true, host: SELF }, 'self', 'this process hosts it'],
  [
    'a link that was dialled',
    { links: [[OTHER, 'tcp://192.168.1.9:7473', true]] },
    'direct',
    'direct over tcp, dialled at tcp://192.168.1.9:7473',
  ],
  [
    'a link that the other side dialled',
    { links: [[OTHER, 'ws://192.168.1.9:50000', false]] },
    'direct',
    'direct over ws, which it dialled from ws://192.168.1.9:50000',
  ],
  [
    'a punched link, while one pipe has not moved yet',
    {
      links: [[OTHER, 'udp://203.0.113.9:4000', true]],
      punch: { state: 'direct', reason: '', atMs: AT_MS, candidates: [] },
      pipes: [
        { type: 'relayed', via: RELAY },
        { type: 'direct', via: OTHER },
      ],
    },
    'direct',
    'direct over udp, because hole punching worked; 1 of 2 pipes still goes over "attic" (aqcaibae)',
  ],
  [
    'a peer behind its host',
    { host: HOST, links: [[HOST, 'tcp://192.168.1.5:7473', true]] },
    'hosted',
    'direct over tcp to its host ambqgayd, dialled at tcp://192.168.1.5:7473',
  ],
  [
    'a relay after hole punching and dials failed, by the failure that says most',
    {
      pipes: [{ type: 'relayed', via: RELAY }, undefined],
      relays: [RELAY],
      attempts: [
        ['timeout', 'udp://10.0.0.2:1', 'nothing came in 5 s.'],
        ['wrong-peer', 'tcp://10.0.0.2:1', 'tcp://10.0.0.2:1 answered as another.'],
        ['unreachable', 'tcp://10.0.0.3:1', 'no route.'],
      ],
      punch: { state: 'impossible', reason: 'both NATs are symmetric.', atMs: AT_MS, candidates: [] },
    },
    'relayed',
    'over relay "attic" (aqcaibae): direct was tried and failed, and 2 other addresses as well: tcp://10.0.0.2:1 answered as another; hole punching cannot work: both NATs are symmetric; 1 pipe to it waits for a way',
  ],
  [
    'a relay while a direct path is being made',
    {
      pipes: [{ type: 'relayed', via: RELAY }],
      punch: { state: 'trying', reason: 'since a moment', atMs: AT_MS, candidates: [] },
    },
    'relayed',
    'over relay "attic" (aqcaibae): a direct path is being made by hole punching',
  ],
  [
    'ways over several relays, each once',
    {
      pipes: [
        { type: 'relayed', via: RELAY, relays: [RELAY, HOST] },
        { type: 'relayed', via: RELAY, relays: [RELAY, HOST] },
        { type: 'relayed', via: HOST },
      ],
    },
    'relayed',
    'over relay "attic" (aqcaibae), then ambqgayd and ambqgayd: no address of it is known',
  ],
  [
    'a relay that would be taken',
    { relays: [RELAY], links: [[RELAY, 'tcp://198.51.100.1:7473', true]] },
    'ready',
    'no pipe runs to it now; one would go over relay "attic" (aqcaibae): no address of it is known',
  ],
  [
    'addresses that nobody has tried',
    { addresses: told(['tcp://10.0.0.2:1', 'tcp://10.0.0.2:2']) },
    'ready',
    'no link to it now; 2 addresses of it can be tried',
  ],
  [
    'no way',
    { addresses: told(['tcp://10.0.0.2:1']), attempts: [['timeout', 'tcp://10.0.0.2:1', 'nothing came in 5 s.']] },
    'none',
    'no way to it now: direct was tried and failed: nothing came in 5 s',
  ],
];

it.each(CASES)('tells of %s', (_what, world, state, text) => {
  const { summary } = explain(world);
  expect([summary.state, summary.text]).toEqual([state, text]);
});

it('advises by what stands in the way', () => {
  const failed = (outcome: DialAttempt['outcome']) =>
    explain({ attempts: [[outcome, 'tcp://10.0.0.2:1']] }).summary.advice;
  expect(explain({ stranger: true }).summary.advice).toContain('members of one group');
  expect(failed('wrong-peer')).toContain('Another peer answers at tcp://10.0.0.2:1');
  expect(failed('refused')).toContain('may be full');
  expect(failed('timeout')).toContain('let both reach a relay');
  expect(explain({ relays: [RELAY] }).summary.advice).toContain('over "attic" (aqcaibae), to which there is no link');
  expect(explain({ links: [[OTHER, 'tcp://10.0.0.2:1', true]] }).summary.advice).toBeUndefined();
});

it('names each address once, with the source that is tried first', () => {
  const { addresses } = explain({
    addresses: [
      ['local-network', () => ['tcp://10.0.0.2:1']],
      ['advertised', () => ['tcp://10.0.0.2:1', 'udp://10.0.0.2:1']],
    ],
  });
  expect(addresses).toEqual([
    { address: 'tcp://10.0.0.2:1', source: 'local-network' },
    { address: 'udp://10.0.0.2:1', source: 'advertised' },
  ]);
});

it('tells which relays the peer has, which this peer has, and which are linked', () => {
  const other = idOf(5);
  const { relays } = explain({
    relays: [RELAY, SELF],
    ownRelays: [RELAY, other],
    links: [[other, 'tcp://10.0.0.5:1', true]],
  });
  expect(relays).toEqual([
    { relay: RELAY, group: HOME, its: true, own: true, linked: false },
    { relay: other, group: HOME, its: false, own: true, linked: true },
  ]);
});

it('shows attempts at the host of a peer that has one, and the link with its traffic', () => {
  const attempt = ['linked', 'tcp://192.168.1.5:7473'] as const;
  const report = explain({ host: HOST, attempts: [attempt], links: [[HOST, attempt[1], false]] });
  expect(report.attempts.map(({ address }) => address)).toEqual([attempt[1]]);
  expect(report.link).toEqual({
    peer: HOST,
    transport: 'tcp',
    address: attempt[1],
    rttMs: 1.5,
    dialled: false,
    bytesIn: 10,
    bytesOut: 20,
  });
});

it('tells nothing of the network for the peer itself', () => {
  const report = explain({ ownRelays: [RELAY], addresses: told(['tcp://10.0.0.2:1']) }, SELF);
  expect([report.summary.state, report.addresses, report.relays]).toEqual(['self', [], []]);
});
