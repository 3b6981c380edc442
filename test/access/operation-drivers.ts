import { groupIdToBytes, peerIdToBytes } from '@pipevine/runtime';
import { type CborInput, encodeCanonical } from '@pipevine/runtime/protocol';
import { seededRandom } from '@pipevine/transports';
import { ADVERTISEMENT_KINDS } from '../../runtime/advertisement/advertisement.ts';
import { signAdvertisement } from '../../runtime/advertisement/advertisement-codec.ts';
import { signCose } from '../../runtime/advertisement/cose-sign1.ts';
import type { Operation } from '../../runtime/group/access.ts';
import type { RawMember } from './raw-member.ts';

/** The thing that the target exposes, and a pipe that a program there serves. */
export const LAMP_KEY = 'hall-lamp';
export const PROGRAM_PIPE = 'chat';

const NOTHING = new Uint8Array(0);
const random = seededRandom('operations');

/**
 * How one member asks each operation of another, by the bytes of docs/protocol: the asker has no part of the services. Each
 * resolves when it was served, and rejects with what the asker saw.
 */
export const DRIVERS: Readonly<Record<Operation, (asker: RawMember) => Promise<unknown>>> = {
  'discovery.query': (asker) => asker.first('resolver', directed('discovery', peersQuery())),
  'discovery.watch': (asker) => asker.first('resolver', directed('discovery', peersQuery([7, true]))),
  'resolver.query': (asker) => asker.first('resolver', propagated(asker, true)),
  'resolver.propagate': (asker) => asker.request('resolver', propagated(asker, false)),
  'rendezvous.lease': (asker) => asker.request('resolver', rendezvous([1, 0], [3, 600_000])),
  'rendezvous.push': (asker) => asker.request('resolver', rendezvous([1, 2], [4, [ownAdvertisement(asker)]])),
  'rendezvous.replicate': (asker) => asker.request('resolver', rendezvous([1, 3], [4, [ownAdvertisement(asker)]])),
  'rendezvous.peerview': (asker) =>
    asker.request('resolver', rendezvous([1, 4], [5, [[peerIdToBytes(asker.peer), []]]])),
  'relay.lease': (asker) => asker.request('resolver', directed('relay', map([1, 0], [3, 600_000]))),
  'mailbox.put': (asker) => asker.request('resolver', directed('mailbox', map([1, 0], [2, [sealedMessage(asker)]]))),
  'mailbox.take': (asker) => asker.first('resolver', directed('mailbox', map([1, 1]))),
  'mailbox.done': (asker) => asker.request('resolver', directed('mailbox', map([1, 2], [5, [takenMessage(asker)]]))),
  'punch.observe': (asker) => asker.first('resolver', directed('punch', map([1, 0]))),
  'punch.request': (asker) => asker.request('punch', map([2, random.bytes(16)], [3, []], [5, 0])),
  'route.query': (asker) => asker.first('resolver', directed('route', map([1, peerIdToBytes(asker.peer)]))),
  'peerinfo.read': (asker) => asker.request('resolver', directed('peerinfo', map())),
  'thing.read': (asker) => asker.request('thing', thing(1, 'brightness')),
  'thing.write': (asker) => asker.request('thing', thing(2, 'brightness', 20)),
  'thing.invoke': (asker) => asker.request('thing', thing(3, 'blink', 3)),
  'thing.observe': (asker) => asker.first('thing', thing(4, 'brightness')),
  'thing.subscribe': (asker) => asker.first('thing', thing(5, 'pressed')),
  'pipe.bind': (asker) => asker.request(PROGRAM_PIPE, NOTHING),
};

function map(...members: readonly (readonly [number, CborInput])[]): Uint8Array {
  return encodeCanonical(new Map(members));
}

/** docs/protocol/resolver.cddl: a directed query. */
function directed(handler: string, body: Uint8Array): Uint8Array {
  return encodeCanonical([0, handler, body]);
}

/** The same: a propagated message that nobody answers, and that goes no further than the target. */
function propagated(asker: RawMember, isQuery: boolean): Uint8Array {
  const payload = map(
    [1, random.bytes(16)],
    [2, groupIdToBytes(asker.group)],
    [3, 'nobody-answers'],
    [4, isQuery],
    [5, 500],
    [6, asker.process.clock.wallMs()],
    [7, asker.credential],
    [8, NOTHING],
  );
  const signed = signCose(asker.identity.signing, 'pipevine/1 propagated', payload);
  return encodeCanonical([1, 1, [peerIdToBytes(asker.peer)], signed]);
}

/** docs/protocol/rendezvous.cddl. */
function rendezvous(...members: readonly (readonly [number, CborInput])[]): Uint8Array {
  return directed('rendezvous', map(...members));
}

/** docs/protocol/discovery.cddl. */
function peersQuery(...members: readonly (readonly [number, CborInput])[]): Uint8Array {
  return map([1, ADVERTISEMENT_KINDS.indexOf('peer')], [6, 10], ...members);
}

/** docs/protocol/thing.cddl. */
function thing(operation: number, name: string, value?: number): Uint8Array {
  const members: [number, CborInput][] = [
    [0, operation],
    [1, LAMP_KEY],
    [2, name],
  ];
  return map(...members, ...(value === undefined ? [] : [[3, value] as const]));
}

/** docs/protocol/mailbox.cddl: a message to the asker itself, whose content the relay cannot know. */
function sealedMessage(asker: RawMember): CborInput {
  return [peerIdToBytes(asker.peer), random.bytes(16), random.bytes(200), 60_000, false];
}

/** The same: of a message that is not there. */
function takenMessage(asker: RawMember): CborInput {
  return [peerIdToBytes(asker.peer), random.bytes(16), null];
}

function ownAdvertisement({ identity, group, process }: RawMember): Uint8Array {
  const issuedAtMs = process.clock.wallMs();
  const times = { sequence: issuedAtMs, issuedAtMs, expirationMs: 3_600_000 };
  const what = { kind: 'content', group, key: 'x', name: 'x', attributes: new Map(), body: NOTHING } as const;
  return signAdvertisement(identity, { ...what, ...times }).encoded;
}
