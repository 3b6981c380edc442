import { WORLD_GROUP } from '../../id/group-id.ts';
import type { PeerId } from '../../id/peer-id.ts';
import type { Overlay, TestPeer, TestPeerInit } from '../../pipe/testing/overlay.ts';
import { RelayForwarder, type RelayGate } from '../relay-forwarder.ts';

/** A relay of the tests: its clients are those that say so in `overlay.relays`. */
export interface TestRelay extends TestPeer {
  readonly forwarder: RelayForwarder;
}

/** Starts a relay that forwards in the world group; default: to neighbours and over the relays of others. */
export async function startRelay(
  overlay: Overlay,
  name: string,
  init: TestPeerInit = {},
  ownGate?: RelayGate,
): Promise<TestRelay> {
  let forwarder: RelayForwarder | undefined;
  const peer = await overlay.peer(name, {
    ...init,
    forwarder: (clock) => {
      forwarder = new RelayForwarder({ clock });
      return forwarder;
    },
  });
  if (forwarder === undefined) throw new Error('no forwarder was made');
  const gate: RelayGate = {
    nextHop: ({ from, target }) => {
      const own = peer.identity.id;
      const relays = overlay.relays.get(target) ?? [];
      const client = overlay.hosts.get(target) ?? target;
      if (overlay.relays.get(client)?.includes(own) === true && client !== from) return { to: client };
      const known = (id: PeerId): boolean => id !== own && id !== from && peer.endpoint.linkTo(id) !== undefined;
      return { to: relays.find(known) ?? overlay.relays.get(own)?.find(known) ?? target };
    },
  };
  forwarder.open(WORLD_GROUP, ownGate ?? gate);
  return { ...peer, forwarder };
}

/** A peer that nobody can dial, linked to its relays. */
export async function startClient(
  overlay: Overlay,
  name: string,
  relays: readonly TestPeer[],
  init: TestPeerInit = {},
): Promise<TestPeer> {
  const peer = await overlay.peer(name, init);
  overlay.addresses.delete(peer.identity.id);
  for (const relay of relays) {
    await overlay.clock.run(peer.endpoint.connect(relay.identity.id));
    peer.endpoint.want(relay.identity.id);
  }
  overlay.relays.set(
    peer.identity.id,
    relays.map(({ identity }) => identity.id),
  );
  return peer;
}

/** Lets others dial a client from now on. */
export function makeReachable(overlay: Overlay, peer: TestPeer): void {
  overlay.addresses.set(peer.identity.id, [`mem://${peer.name}:1`]);
}
