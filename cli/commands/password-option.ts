import type { LocalOption } from '../arguments/command-spec.ts';

/** Passwords are never arguments: those are visible to every process of the machine. */
export const PASSWORD_FILE: LocalOption = {
  key: 'password-file',
  placeholder: 'FILE',
  description: 'file whose first line is the password, - for standard input; without it you are asked',
};
