import type { Arguments, LocalOption } from '../arguments/command-spec.ts';
import type { Params } from '../control/json-rpc.ts';

/** Of every command that works in one group. */
export const GROUP: LocalOption = {
  key: 'group',
  placeholder: 'GROUP',
  description: 'which group, if there are several',
};

/** The group as a control method takes it: the argument, or the option. */
export function groupParam(local: Arguments['local'], positional?: string): Params {
  const group = positional ?? local.group?.[0];
  return group === undefined ? {} : { group };
}
