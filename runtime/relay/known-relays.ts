import type { Advertisement } from '../advertisement/advertisement.ts';
import type { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import { decodePeerBody } from '../advertisement/peer-body.ts';
import { wellFormed } from '../error/well-formed.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import { MAX_KNOWN_RELAYS } from './relay-defaults.ts';

/** The role that a peer's advertisement names while it relays. A hint: its credential decides. */
export const RELAY_ROLE = 'relay';
/** The attributes of its advertisement, by which it can be searched for. A hint, too. */
export const RELAY_ATTRIBUTES = { relay: 'yes' } as const;

export interface KnownRelaysInit {
  readonly group: GroupId;
  readonly store: Pick<AdvertisementStore, 'find' | 'subscribe'>;
  /** A member says that it relays, and has not said so before. */
  readonly onRelay: (peer: PeerId) => void;
}

/** Members of a group that say that they relay; the latest heard of. */
export class KnownRelays {
  readonly #peers = new Set<PeerId>();
  readonly #onRelay: (peer: PeerId) => void;
  readonly #unsubscribe: () => void;

  constructor({ group, store, onRelay }: KnownRelaysInit) {
    this.#onRelay = onRelay;
    for (const advertisement of store.find({ kind: 'peer', group })) this.#note(advertisement);
    this.#unsubscribe = store.subscribe({ kind: 'peer', group }, ({ change, advertisement }) => {
      if (change === 'removed') this.#peers.delete(advertisement.publisher);
      else this.#note(advertisement);
    });
  }

  list(): readonly PeerId[] {
    return [...this.#peers].reverse();
  }

  close(): void {
    this.#unsubscribe();
    this.#peers.clear();
  }

  #note({ publisher, body }: Pick<Advertisement, 'publisher' | 'body'>): void {
    const relays = wellFormed(() => decodePeerBody(body))?.roles.includes(RELAY_ROLE) === true;
    const wasKnown = this.#peers.delete(publisher);
    if (!relays) return;
    this.#peers.add(publisher);
    for (const oldest of this.#peers) {
      if (this.#peers.size <= MAX_KNOWN_RELAYS) break;
      this.#peers.delete(oldest);
    }
    if (!wasKnown) this.#onRelay(publisher);
  }
}
