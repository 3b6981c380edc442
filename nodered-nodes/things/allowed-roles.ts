import { type InteractionContext, PipevineError } from '@pipevine/runtime';

export interface RolesConfig {
  /** Roles with commas between; empty: every member that may do so in the group. */
  readonly readRoles?: string;
  readonly writeRoles?: string;
  readonly invokeRoles?: string;
}

export interface AllowedRoles {
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly invoke: readonly string[];
}

export function allowedRoles({ readRoles, writeRoles, invokeRoles }: RolesConfig): AllowedRoles {
  return { read: roles(readRoles), write: roles(writeRoles), invoke: roles(invokeRoles) };
}

/** Throws `refused`. */
export function checkRoles(
  { remotePeer, roles: has }: Pick<InteractionContext, 'remotePeer' | 'roles'>,
  allowed: readonly string[],
  what: string,
): void {
  if (allowed.length === 0 || allowed.some((role) => has.includes(role))) return;
  const own = has.length === 0 ? 'no role' : has.join(', ');
  throw new PipevineError('refused', `${what} is for the roles ${allowed.join(', ')}; ${remotePeer} has ${own}.`);
}

function roles(text = ''): string[] {
  return text.split(',').flatMap((role) => (role.trim() === '' ? [] : [role.trim()]));
}
