import { PipevineError } from '../error/pipevine-error.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import { type Capability, type Grant, may } from './capability.ts';

/** Every operation that one member may ask of another, and what it takes. This table is the whole access control. */
export const OPERATIONS = {
  'discovery.query': 'discover',
  'discovery.watch': 'discover',
  'resolver.query': 'discover',
  'resolver.propagate': 'publish',
  'relay.lease': 'discover',
  'mailbox.put': 'publish',
  'mailbox.take': 'discover',
  'mailbox.done': 'discover',
  'punch.observe': 'discover',
  'punch.request': 'discover',
  'route.query': 'discover',
  'rendezvous.lease': 'discover',
  'rendezvous.push': 'publish',
  'rendezvous.replicate': 'rendezvous',
  'rendezvous.peerview': 'rendezvous',
  'peerinfo.read': 'read',
  'thing.read': 'read',
  'thing.observe': 'read',
  'thing.subscribe': 'read',
  'thing.write': 'write',
  'thing.invoke': 'invoke',
  'pipe.bind': 'invoke',
} as const satisfies Readonly<Record<string, Capability>>;
export type Operation = keyof typeof OPERATIONS;

/** Throws `refused`, saying which capability is missing and how to get it. */
export function checkAccess(operation: Operation, peer: PeerId, grant: Grant | undefined): void {
  checkCapability(OPERATIONS[operation], operation, peer, grant);
}

/** The same for a capability that a program asks for; `what` says for people what it is needed for. */
export function checkCapability(capability: Capability, what: string, peer: PeerId, grant: Grant | undefined): void {
  if (may(grant, capability)) return;
  const roles = grant === undefined ? 'no credential of the group' : `roles ${grant.roles.join(', ')}`;
  throw new PipevineError(
    'refused',
    `Peer ${shortPeerId(peer)} (${roles}) lacks the capability "${capability}" for ${what}; an administrator can give it with \`pipevine group grant\`.`,
  );
}
