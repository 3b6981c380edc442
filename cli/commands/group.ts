import type { JsonValue } from '@pipevine/runtime';
import { type Arguments, isOn } from '../arguments/command-spec.ts';
import type { Params } from '../control/json-rpc.ts';
import { EXIT } from '../output/exit-code.ts';
import { askDaemon, type CommandContext, listOf, nameOf, shortId, textOf } from './command-context.ts';
import { groupParam } from './group-option.ts';
import { printList } from './print-list.ts';
import { rendezvousText } from './rendezvous-text.ts';

export function list(context: CommandContext, options: Arguments['local']): Promise<number> {
  if (isOn(options, 'nearby')) {
    return printList(
      context,
      'group.nearby',
      { seeds: context.settings.seed },
      ['NAME', 'GROUP', 'POLICY', 'ADMINISTRATOR', 'STATE'],
      (group) => [
        textOf(group.name),
        shortId(group.id),
        textOf(group.policy),
        shortId(group.administrator),
        group.joined === true ? 'joined' : '-',
      ],
      'No groups are shown nearby. One that asks for a code is shown only when it was made with --listed.',
    );
  }
  return printList(
    context,
    'group.list',
    {},
    ['NAME', 'GROUP', 'POLICY', 'STATE', 'ROLES'],
    (group) => [
      textOf(group.name),
      shortId(group.id),
      textOf(group.policy) || '-',
      group.state === 'pending' ? 'waiting for approval' : 'joined',
      listOf(group.roles).join(', ') || '-',
    ],
    'This peer is in no group. `pipevine group list --nearby` looks for some, `pipevine group join` joins.',
  );
}

export async function show(context: CommandContext, { positionals, local }: Arguments): Promise<number> {
  const group = (await askDaemon(context, 'group.show', groupParam(local, positionals[0]))) as Params; // a group's report
  context.output.value(group, () => groupText(group));
  return EXIT.done;
}

export async function leave(context: CommandContext, { positionals: [group = ''], local }: Arguments): Promise<number> {
  const left = (await askDaemon(context, 'group.leave', { group, end: isOn(local, 'end') })) as Params; // {group, groupName}
  context.output.value(left, () => `Left ${nameOf(left.groupName)}.`);
  return EXIT.done;
}

export function members(context: CommandContext, { positionals, local }: Arguments): Promise<number> {
  return printList(
    context,
    'group.members',
    groupParam(local, positionals[0]),
    ['NAME', 'PEER', 'ROLES', 'BESIDES', 'STATE', 'UNTIL'],
    (member) => [
      textOf(member.name) || '-',
      shortId(member.peer),
      listOf(member.roles).join(', ') || '-',
      listOf(member.capabilities).join(', ') || '-',
      stateOf(member),
      day(member.notAfter),
    ],
    'No members are known.',
  );
}

export function groupText(group: Params): string {
  const rows: [label: string, text: string][] = [
    ['id', textOf(group.id)],
    ['policy', policyText(group)],
    ['shown', group.listed === true ? 'to peers nearby' : 'to nobody who is not told'],
    ['roles', listOf(group.roles).join(', ') || '-'],
    ['may', listOf(group.capabilities).join(', ') || '-'],
    ['until', day(group.notAfter)],
    ['rendezvous', rendezvousText(group.rendezvous) ?? '-'],
    ['waiting', `${group.applicants ?? 0} applicants`],
  ];
  return [nameOf(group.name), ...rows.map(([label, text]) => `  ${label.padEnd(11)}${text}`)].join('\n');
}

function policyText({ policy, needed, approvers }: Params): string {
  if (policy !== 'quorum') return textOf(policy);
  return `quorum, ${needed} of ${listOf(approvers).map(shortId).join(', ')}`;
}

function stateOf(member: Params): string {
  if (member.revoked === true) return 'revoked';
  return member.online === true ? 'online' : 'away';
}

/** Of a time, what people need: the minute. */
const day = (time: JsonValue | undefined): string => textOf(time).slice(0, 16).replace('T', ' ') || '-';
