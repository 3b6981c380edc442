import { PipevineError } from '@pipevine/runtime';
import type { AdminRequest } from './admin-route.ts';
import { chosenGroup } from './chosen-session.ts';

const MAX_LIFETIME_MS = 30 * 24 * 3_600_000;
const MAX_USES = 1_000;

/** From `{lifetimeMs?, uses?, roles?}` to `{code, group}`. Rejects with `refused` where this peer may not admit. */
export async function inviteRoute(
  request: AdminRequest,
): Promise<{ readonly code: string; readonly group: { readonly id: string; readonly name: string } }> {
  const { lifetimeMs, uses, roles } = (request.body ?? {}) as Record<string, unknown>;
  const options = {
    ...(lifetimeMs !== undefined && { lifetimeMs: wholeNumber(lifetimeMs, 'lifetimeMs', MAX_LIFETIME_MS) }),
    ...(uses !== undefined && { uses: wholeNumber(uses, 'uses', MAX_USES) }),
    ...(roles !== undefined && { roles: texts(roles) }),
  };
  const { peer, group } = await chosenGroup(request);
  const code = await peer.invite(group.id, options);
  return { code, group: { id: group.id, name: group.name } };
}

function wholeNumber(value: unknown, name: string, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new PipevineError('invalid-argument', `${name} is a whole number from 1 to ${max}, not ${String(value)}.`);
}

function texts(value: unknown): string[] {
  if (Array.isArray(value) && value.length <= 16 && value.every((one) => typeof one === 'string')) return value;
  throw new PipevineError('invalid-argument', 'roles is a list of at most 16 texts.');
}
