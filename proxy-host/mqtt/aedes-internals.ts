import type { Aedes, Client } from 'aedes';

/** What the types of aedes 1.2 leave out. Each is a plain field of its source that its own modules share. */

/** The subscriptions of a client, by filter; an object without a prototype. */
export function subscriptionsOf(client: Client): Record<string, unknown> {
  return (client as unknown as { subscriptions: Record<string, unknown> }).subscriptions;
}

/**
 * aedes takes every message for a duplicate whose counter is not above the last one. A message that waited for the
 * storage would so be lost behind one that did not; duplicates are found in `#authorizeForward` instead.
 */
export function disableDeduplication(client: Client, brokerId: string): void {
  const { duplicates } = client as unknown as { duplicates: Record<string, number> }; // not in its types
  Object.defineProperty(duplicates, brokerId, { get: () => 0, set: () => {}, configurable: true });
}

/** The connected client with this id. */
export function clientOf(broker: Aedes, clientId: string): Client | undefined {
  return (broker as unknown as { clients: Record<string, Client | undefined> }).clients[clientId];
}

/** Names for a message, as aedes-packet makes them: it keeps those that a packet has already. */
export function nameMessage(broker: Aedes): { brokerId: string; brokerCounter: number } {
  const named = broker as unknown as { id: string; counter: number };
  named.counter++;
  return { brokerId: named.id, brokerCounter: named.counter };
}

/** Takes a client's will from it, so that its end does not publish it. */
export function withholdWill(client: Client): void {
  Object.assign(client, { will: null });
}
