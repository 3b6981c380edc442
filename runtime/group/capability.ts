/**
 * What a member may do. `discover`: search, watch, lease. `publish`: advertise and propagate. `read`: read and observe
 * things, and ask for peer information. `write`, `invoke`: the same of things; `invoke` also binds pipes by name. `host`:
 * speak for peers that it hosts. `relay`, `rendezvous`: serve the group as such. `administer`: admit, grant, revoke.
 */
export const CAPABILITIES = [
  'discover',
  'publish',
  'read',
  'write',
  'invoke',
  'host',
  'relay',
  'rendezvous',
  'administer',
] as const;
export type Capability = (typeof CAPABILITIES)[number];

const MEMBER = ['discover', 'publish', 'read', 'write', 'invoke'] as const;

/** What each role brings; a role that is not here brings nothing. */
export const ROLES: ReadonlyMap<string, readonly Capability[]> = new Map<string, readonly Capability[]>([
  ['guest', ['discover', 'read']],
  ['member', MEMBER],
  ['host', ['host']],
  ['relay', ['relay']],
  ['rendezvous', ['rendezvous']],
  ['gateway', [...MEMBER, 'host', 'relay', 'rendezvous']],
  ['administrator', CAPABILITIES],
]);

/** Begins the capability to claim names: `name:kitchen*` allows `name` advertisements that the pattern matches. */
export const NAME_CLAIM = 'name:';

/** What a credential grants: by its roles, and besides. */
export interface Grant {
  readonly roles: readonly string[];
  readonly capabilities: readonly string[];
}

/** Whether a member may do this. In the world group, where nobody shows a credential, nobody may do anything. */
export function may(grant: Grant | undefined, capability: Capability): boolean {
  if (grant === undefined) return false;
  return grant.capabilities.includes(capability) || grant.roles.some((role) => ROLES.get(role)?.includes(capability));
}

/** All that a grant comes to, in the order of CAPABILITIES; name claims follow. */
export function capabilitiesOf(grant: Grant): string[] {
  return [
    ...CAPABILITIES.filter((capability) => may(grant, capability)),
    ...grant.capabilities.filter((one) => one.startsWith(NAME_CLAIM)),
  ];
}
