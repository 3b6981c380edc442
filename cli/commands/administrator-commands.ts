import type { CommandSpec, LocalOption } from '../arguments/command-spec.ts';
import { GROUP } from './group-option.ts';
import { PASSWORD_FILE } from './password-option.ts';

const ROLE: LocalOption = {
  key: 'role',
  placeholder: 'ROLE',
  description: 'guest, member, host, relay, rendezvous, gateway or administrator; repeatable',
  repeatable: true,
};
const YES: LocalOption = { key: 'yes', description: 'do not ask' };
const INVITING: readonly LocalOption[] = [
  GROUP,
  ROLE,
  { key: 'lifetime', placeholder: 'TIME', description: 'how long the code can be used: 15min, 24h, 7d' },
  { key: 'uses', placeholder: 'COUNT', description: 'how many machines it admits' },
];

const load = () => import('./administration.ts');

/** Commands of those who run groups; a build for edges has none of them. */
export const ADMINISTRATOR_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'invite',
    parameters: [],
    description: 'make a join code for other machines',
    settings: [],
    options: INVITING,
    run: async (context, given) => (await load()).invite(context, given),
  },
  {
    name: 'group invite',
    parameters: ['[GROUP]'],
    description: 'make a join code',
    settings: [],
    options: INVITING,
    run: async (context, given) => (await load()).invite(context, given),
  },
  {
    name: 'group create',
    parameters: ['NAME'],
    description: 'make a group, whose first administrator is this peer',
    settings: [],
    options: [
      {
        key: 'policy',
        placeholder: 'POLICY',
        description: 'how others become members: open, code (default), password, approval or quorum',
      },
      { key: 'needed', placeholder: 'K', description: 'quorum: how many approvers have to approve' },
      { key: 'approver', placeholder: 'PEER', description: 'quorum: who may approve, repeatable', repeatable: true },
      { ...ROLE, description: 'what those who join may do; default member, repeatable' },
      {
        key: 'listed',
        description: 'show it to peers nearby; --no-listed does not. Default: unless it asks for a code',
      },
      PASSWORD_FILE,
    ],
    run: async (context, given) => (await load()).create(context, given),
  },
  {
    name: 'group approve',
    parameters: ['[APPLICANT]'],
    description: 'let an applicant in; without a name: list who waits',
    settings: [],
    options: [GROUP],
    run: async (context, given) => (await load()).approve(context, given),
  },
  {
    name: 'group reject',
    parameters: ['APPLICANT'],
    description: 'turn an applicant away',
    settings: [],
    options: [GROUP],
    run: async (context, given) => (await load()).reject(context, given),
  },
  {
    name: 'group grant',
    parameters: ['MEMBER'],
    description: 'set what a member may do; takes the place of what it had',
    settings: [],
    options: [
      GROUP,
      ROLE,
      {
        key: 'can',
        placeholder: 'CAPABILITY',
        description:
          'besides: discover, publish, read, write, invoke, host, relay, rendezvous, administer or name:PATTERN',
        repeatable: true,
      },
    ],
    run: async (context, given) => (await load()).grant(context, given),
  },
  {
    name: 'group revoke',
    parameters: ['MEMBER'],
    description: 'put a member out of the group, at once',
    settings: [],
    options: [GROUP, YES],
    run: async (context, given) => (await load()).revoke(context, given),
  },
  {
    name: 'group password',
    parameters: ['[GROUP]'],
    description: 'set another password; members stay',
    settings: [],
    options: [GROUP, PASSWORD_FILE],
    run: async (context, given) => (await load()).password(context, given),
  },
];
