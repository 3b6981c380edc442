import { type Peer, type PeerGroup, PipevineError } from '@pipevine/runtime';
import { defineNode } from '../node/define-node.ts';
import type { NodeAPI } from '../node/red.ts';
import { memberNow } from '../peer/member-now.ts';
import { isoTime } from './found-advertisement.ts';
import { joinLink } from './join-link.ts';
import { membershipChanges } from './membership-changes.ts';

export const GROUP_OPERATIONS = ['members', 'invite', 'changes'] as const;
export type GroupOperation = (typeof GROUP_OPERATIONS)[number];

export interface GroupConfig {
  /** `changes` needs no message; of the others, `msg.operation` may choose when it is empty. */
  readonly operation?: string;
  /** Of an invitation. Minutes; may be in `msg.minutes`. */
  readonly minutes?: unknown;
  /** How many may use it; may be in `msg.uses`. */
  readonly uses?: unknown;
  /** Comma-separated; may be a list in `msg.roles`. */
  readonly roles?: string;
  /** Of the changes: whether those that are members already come, too. */
  readonly initial?: boolean;
}

const DEFAULT_MINUTES = 60;
const MAX_MINUTES = 30 * 24 * 60;
const MAX_USES = 1_000;
const MAX_ROLES = 16;

export default function pipevineGroup(RED: NodeAPI): void {
  defineNode<GroupConfig>(RED, 'pipevine-group', ({ config, node, peer, status }) => {
    if (config.operation === 'changes') {
      return {
        whileMember: async (group, signal) => {
          for await (const change of membershipChanges(group, signal)) {
            status.succeeded();
            if (change.initial && config.initial !== true) continue;
            node.send({ payload: change, topic: change.event, peer: change.peer });
            // The flow gets its turn before the next change is taken.
            await new Promise((resolve) => setImmediate(resolve));
          }
        },
      };
    }
    return {
      onMessage: async (msg, send) => {
        const { peer: self, group } = memberNow(peer);
        switch (operation(config.operation || msg.operation || 'members')) {
          case 'members':
            send(Object.assign(msg, { payload: await memberReport(group), topic: group.name }));
            break;
          case 'invite':
            send(Object.assign(msg, await invitation(self, group, config, { ...msg }), { topic: group.name }));
            break;
          case 'changes':
            throw new PipevineError('invalid-argument', 'Changes come by themselves from a node that is set to them.');
        }
      },
    };
  });
}

async function memberReport(group: PeerGroup) {
  const members = await group.memberList();
  return members.map(({ peer, name, roles, capabilities, online, revoked, notAfterMs }) => ({
    peer,
    name,
    roles: [...roles],
    capabilities: [...capabilities],
    online,
    revoked,
    ...(notAfterMs !== undefined && { validUntil: isoTime(notAfterMs) }),
  }));
}

/** Rejects with `refused` where this peer may not admit. */
async function invitation(peer: Peer, group: PeerGroup, config: GroupConfig, msg: Readonly<Record<string, unknown>>) {
  const lifetimeMs = inRange(msg.minutes ?? config.minutes, DEFAULT_MINUTES, MAX_MINUTES, 'minutes') * 60_000;
  const uses = Math.floor(inRange(msg.uses ?? config.uses, 1, MAX_USES, 'uses'));
  const roles = roleList(msg.roles ?? config.roles);
  const expires = isoTime(Date.now() + lifetimeMs);
  const code = await peer.invite(group.id, { lifetimeMs, uses, ...(roles.length > 0 && { roles }) });
  return { payload: code, link: joinLink(code, peer.addresses), expires, uses, group: group.name };
}

function operation(value: unknown): GroupOperation {
  const found = GROUP_OPERATIONS.find((one) => one === value);
  if (found !== undefined) return found;
  throw new PipevineError('invalid-argument', `An operation is members or invite, not "${String(value)}".`);
}

function inRange(value: unknown, fallback: number, max: number, what: string): number {
  if (value === undefined || value === null || value === '') return fallback;
  const found = typeof value === 'number' ? value : Number(value);
  if (Number.isFinite(found) && found >= 1 && found <= max) return found;
  throw new PipevineError('invalid-argument', `${what} is a number from 1 to ${max}, not "${String(value)}".`);
}

function roleList(value: unknown): string[] {
  const list = typeof value === 'string' ? value.split(',') : (value ?? []);
  if (!Array.isArray(list) || list.length > MAX_ROLES || !list.every((one) => typeof one === 'string')) {
    throw new PipevineError('invalid-argument', `roles is a list of at most ${MAX_ROLES} texts.`);
  }
  return list.map((one: string) => one.trim()).filter((one) => one !== '');
}
