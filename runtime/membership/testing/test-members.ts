import { MemoryStorage, nodeCrypto, seededRandom, VirtualClock } from '@pipevine/transports';
import { Administration } from '../../group/administration.ts';
import { type CreateGroupInit, type GroupMembership, Groups } from '../../group/groups.ts';
import type { GroupId } from '../../id/group-id.ts';
import { identityFromSeed } from '../../id/identity.ts';
import type { PeerId } from '../../id/peer-id.ts';
import type { RequestPipe } from '../../pipe/pipe.ts';
import type { Crypto } from '../../platform/crypto.ts';
import { joinBytes } from '../../wire/join-bytes.ts';
import { type JoinOutcome, joinAt, renewMembership } from '../join-client.ts';
import { parseJoinCode } from '../join-code.ts';
import { MembershipRenewal } from '../membership-renewal.ts';
import { MembershipService } from '../membership-service.ts';
import type { OwnApplication } from '../own-application.ts';

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

/** Stretching takes real time; what is tested here does not depend on how much. */
export const testCrypto: Crypto = {
  ...nodeCrypto,
  stretch: async (password, salt) => nodeCrypto.sha256(joinBytes([salt, password])),
};

export interface TestMember extends ReturnType<typeof newMember> {}

/** A peer with all that membership takes, and no network. */
export function newMember(byte: number, clock: VirtualClock, storage = new MemoryStorage({ clock })) {
  const identity = identityFromSeed(testCrypto, new Uint8Array(32).fill(byte));
  const parts = { storage, clock, crypto: testCrypto, random: seededRandom(byte), identity };
  const groups = new Groups(parts);
  const administration = new Administration({ groups, clock });
  const service = new MembershipService({ ...parts, groups, administration });
  const application: OwnApplication = { nonce: new Uint8Array(16).fill(byte), askedAtMs: undefined };
  return { ...parts, groups, administration, service, application };
}

/** A gateway that has made a group, and two others. */
export async function newHome(init: Omit<CreateGroupInit, 'name'> = {}) {
  const clock = new VirtualClock();
  const gateway = newMember(1, clock);
  const { group } = await clock.run(gateway.groups.create({ name: 'Home', ...init }));
  return { clock, gateway, group, edge: newMember(2, clock), other: newMember(3, clock) };
}

/** Whoever serves a membership request: a member, or a trap. */
export interface TestResponder {
  readonly identity: { readonly id: PeerId };
  readonly service: Pick<MembershipService, 'handle'>;
}

/** A request pipe to the other's service, as authenticated as a real one. */
export function pipeTo(from: PeerId, to: TestResponder): RequestPipe {
  return {
    remotePeer: to.identity.id,
    credential: undefined,
    request: (body) => to.service.handle(body, from),
    stream: () => {
      throw new Error('not used');
    },
    closed: new Promise(() => undefined),
    close: async () => undefined,
  };
}

function joinInit({ identity, groups, clock, crypto, random }: TestMember, at: TestResponder) {
  return { pipe: pipeTo(identity.id, at), localPeer: identity.id, name: 'edge', groups, clock, crypto, random };
}

/** Joins by a code; resolves to the membership. */
export async function joinByCode(applicant: TestMember, at: TestResponder, code: string): Promise<GroupMembership> {
  const by = { type: 'code', code: parseJoinCode(code) } as const;
  const outcome = await applicant.clock.run(joinAt({ ...joinInit(applicant, at), by }));
  if (outcome.state !== 'joined') throw new Error('expected to be a member by a code');
  return outcome.membership;
}

/** Asks to join, as the group's policy has it. */
export function joinGroup(
  applicant: TestMember,
  at: TestResponder,
  group: GroupId,
  password?: string,
): Promise<JoinOutcome> {
  const by = { type: 'group', group, password, application: applicant.application } as const;
  return applicant.clock.run(joinAt({ ...joinInit(applicant, at), by }));
}

export function renewAt(member: TestMember, at: TestResponder, group: GroupId): Promise<GroupMembership> {
  const { identity, groups, crypto, clock } = member;
  return clock.run(renewMembership({ pipe: pipeTo(identity.id, at), group, groups, crypto }));
}

/** Renews by itself at whoever `at` says. */
export function renewing(member: TestMember, at: () => TestResponder, onFailure = (_: string): void => undefined) {
  const { identity, groups, clock, crypto } = member;
  return new MembershipRenewal({
    groups,
    clock,
    crypto,
    random: seededRandom(8),
    open: async () => pipeTo(identity.id, at()),
    onFailure: (_, { code }) => onFailure(code),
  });
}

/** Makes somebody a member with these roles, by a code. */
export async function invite(
  at: TestMember,
  group: GroupId,
  whom: TestMember,
  roles?: readonly string[],
): Promise<GroupMembership> {
  const { code } = await at.clock.run(at.service.invite(group, roles && { roles }));
  return joinByCode(whom, at, code);
}

/** Gives each of the members the statements of all others, until nothing is new. */
export async function sync(group: GroupId, ...members: readonly TestMember[]): Promise<void> {
  for (let news = true; news; ) {
    news = false;
    for (const from of members) {
      for (const to of members) {
        if (from === to || to.groups.membership(group) === undefined) continue;
        for (const { encoded } of from.groups.statements(group)) {
          news = (await to.clock.run(to.groups.receive(group, encoded).catch(() => false))) || news;
        }
      }
    }
  }
}
