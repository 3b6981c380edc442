import { PipevineError } from '@pipevine/runtime';
import { type Arguments, isOn } from '../arguments/command-spec.ts';
import type { Params } from '../control/json-rpc.ts';
import { readPassword } from '../input/password.ts';
import { resolveName } from '../naming/resolve-name.ts';
import { EXIT } from '../output/exit-code.ts';
import { printable } from '../output/printable.ts';
import { askDaemon, type CommandContext, listFromDaemon, listOf, nameOf, shortId, textOf } from './command-context.ts';
import { groupParam } from './group-option.ts';
import { lifetimeParam } from './lifetime-option.ts';
import { printList } from './print-list.ts';

export async function invite(context: CommandContext, { positionals, local }: Arguments): Promise<number> {
  const { output } = context;
  const { role: roles = [] } = local;
  const made = (await askDaemon(context, 'invite', {
    ...groupParam(local, positionals[0]),
    ...lifetimeParam(local),
    ...count(local, 'uses'),
    ...(roles.length === 0 ? {} : { roles }),
  })) as Params; // `invite` answers an object
  const qr = output.json ? undefined : await context.drawQrCode?.(textOf(made.link));
  output.value(made, () => {
    const lines = [`Join code for ${nameOf(made.groupName)}:`, '', `  ${textOf(made.code)}`, ''];
    return [...lines, 'On the other machine: pipevine join CODE', ...(qr === undefined ? [] : ['', qr])].join('\n');
  });
  return EXIT.done;
}

export async function create(context: CommandContext, { positionals: [name = ''], local }: Arguments): Promise<number> {
  const { policy: [policy] = [], approver: approvers = [], role: roles = [] } = local;
  if (policy !== 'password' && local['password-file'] !== undefined) {
    return usage('--password-file belongs to --policy password; give that too');
  }
  const password =
    policy === 'password'
      ? await readPassword(context.input, local, `Password for ${name}`, { isNew: true })
      : undefined;
  const group = (await askDaemon(context, 'group.create', {
    name,
    ...(local.listed === undefined ? {} : { listed: isOn(local, 'listed') }),
    ...(policy === undefined ? {} : { policy }),
    ...count(local, 'needed'),
    ...(approvers.length === 0 ? {} : { approvers }),
    ...(roles.length === 0 ? {} : { roles }),
    ...(password === undefined ? {} : { password }),
  })) as Params; // a group's report
  context.output.value(group, () => `Made ${nameOf(group.name)} (${shortId(group.id)}).\n${nextStep(group)}`);
  return EXIT.done;
}

export async function approve(
  context: CommandContext,
  { positionals: [applicant], local }: Arguments,
): Promise<number> {
  if (applicant !== undefined) return decide(context, 'approve', applicant, local);
  return printList(
    context,
    'group.applicants',
    groupParam(local),
    ['NAME', 'PEER', 'GROUP', 'ASKED', 'APPROVED'],
    (one) => [
      textOf(one.name) || '-',
      shortId(one.peer),
      textOf(one.groupName),
      textOf(one.askedAt).slice(0, 16).replace('T', ' '),
      `${one.have} of ${one.needed}`,
    ],
    'Nobody waits.',
  );
}

export function reject(context: CommandContext, { positionals: [applicant = ''], local }: Arguments): Promise<number> {
  return decide(context, 'reject', applicant, local);
}

async function decide(
  context: CommandContext,
  decision: 'approve' | 'reject',
  applicant: string,
  local: Arguments['local'],
): Promise<number> {
  const params = { applicant, ...groupParam(local) };
  const done = (await askDaemon(context, `group.${decision}`, params)) as Params; // {peer, name, group, groupName, have, needed}
  context.output.value(done, () => {
    const who = `${nameOf(done.name) || shortId(done.peer)}`;
    if (decision === 'reject') return `Rejected ${who}.`;
    const rest = Number(done.needed) - Number(done.have);
    return rest > 0 ? `Approved ${who}; ${rest} more to go.` : `Approved ${who}, who becomes a member now.`;
  });
  return EXIT.done;
}

export async function grant(
  context: CommandContext,
  { positionals: [member = ''], local }: Arguments,
): Promise<number> {
  const { role: roles = [], can: capabilities = [] } = local;
  if (roles.length + capabilities.length === 0) {
    return usage('"group grant" needs --role or --can; `pipevine group revoke` puts a member out');
  }
  const granted = (await askDaemon(context, 'group.grant', {
    member,
    roles,
    capabilities,
    ...groupParam(local),
  })) as Params; // {peer, name, group, groupName, roles, capabilities}
  context.output.value(granted, () => {
    const what = [...listOf(granted.roles), ...listOf(granted.capabilities)].map(printable).join(', ');
    return `${nameOf(granted.name) || shortId(granted.peer)} has now in ${nameOf(granted.groupName)}: ${what}.`;
  });
  return EXIT.done;
}

export async function revoke(context: CommandContext, { positionals: [text = ''], local }: Arguments): Promise<number> {
  const candidates: { name: string; ids: string[]; member: Params }[] = [];
  for await (const member of listFromDaemon(context, 'group.members', groupParam(local))) {
    candidates.push({ name: textOf(member.name), ids: [textOf(member.serial), textOf(member.peer)], member });
  }
  const { member } = resolveName('member', text, candidates, 'pipevine group members');
  const who = `${nameOf(member.name) || 'a peer without a name'} (${shortId(member.peer)})`;
  if (!isOn(local, 'yes')) await confirm(context, `Put ${who} out of ${nameOf(member.groupName)}`);
  const { peer = '', group = '' } = member;
  const revoked = await askDaemon(context, 'group.revoke', { member: peer, group });
  context.output.value(revoked, () => `Revoked ${who}. Members that are online learn it within a minute.`);
  return EXIT.done;
}

export async function password(context: CommandContext, { positionals, local }: Arguments): Promise<number> {
  const where = groupParam(local, positionals[0]);
  const group = (await askDaemon(context, 'group.show', where)) as Params; // a group's report
  if (group.policy !== 'password') {
    throw new PipevineError(
      'invalid-argument',
      `${nameOf(group.name)} has the policy ${textOf(group.policy)}, so it has no password`,
    );
  }
  const secret = await readPassword(context.input, local, `New password for ${nameOf(group.name)}`, { isNew: true });
  const done = await askDaemon(context, 'group.password', { group: textOf(group.id), password: secret });
  context.output.value(done, () => `The password of ${nameOf(group.name)} is changed. Its members stay.`);
  return EXIT.done;
}

async function confirm({ input }: CommandContext, what: string): Promise<void> {
  if (!input.interactive) return usage(`${what}? Say so with --yes: nobody can be asked here`);
  const answer = await input.ask(`${what}? [y/N] `);
  if (!/^y(es)?$/i.test(answer.trim())) throw new PipevineError('aborted', 'nothing was done');
}

function count(local: Arguments['local'], key: string): Params {
  const text = local[key]?.[0];
  if (text === undefined) return {};
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return { [key]: value };
  return usage(`--${key}: expected a whole number above 0, not "${text}"`);
}

function nextStep(group: Params): string {
  const quoted = JSON.stringify(nameOf(group.name));
  switch (group.policy) {
    case 'code':
      return `Next: pipevine group invite ${quoted}`;
    case 'quorum':
      // Nobody can be approved before as many approvers are members as it needs.
      return `Next: a code for the other approvers: pipevine group invite ${quoted} --uses ${Math.max(1, listOf(group.approvers).length - 1)}`;
    case 'approval':
      return `On the other machine: pipevine group join ${quoted}; then here: pipevine group approve`;
    default:
      return `On the other machine: pipevine group join ${quoted}`;
  }
}

function usage(message: string): never {
  throw new PipevineError('invalid-argument', message);
}
