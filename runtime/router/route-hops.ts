import { may } from '../group/capability.ts';
import type { GroupNeighbour } from '../resolver/resolver.ts';
import { ASKED_OTHERS } from './router-defaults.ts';

/** Whether a neighbour relays or is a rendezvous: those know most ways, and who else does. */
export function passesRoutes({ credential }: Pick<GroupNeighbour, 'credential'>): boolean {
  return may(credential, 'relay') || may(credential, 'rendezvous');
}

/**
 * To whom a propagated question for a way goes on: to all neighbours that relay or are a rendezvous, and to a few others, one
 * of which may be the only link between two relays. To all of them it would go through every member of a large group.
 */
export function routeHops<T extends Pick<GroupNeighbour, 'credential'>>(neighbours: readonly T[]): readonly T[] {
  const others = neighbours.filter((one) => !passesRoutes(one)).slice(0, ASKED_OTHERS);
  return [...neighbours.filter(passesRoutes), ...others];
}
