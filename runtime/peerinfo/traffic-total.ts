import type { Endpoint } from '../endpoint/endpoint.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Link, LinkTraffic } from '../link/link.ts';

/** Bytes over all links since it was made, those that are closed by now included. */
export class TrafficTotal {
  readonly #links = new Map<PeerId, Link>();
  readonly #subscription: { unsubscribe(): void };
  #closed: Pick<LinkTraffic, 'bytesIn' | 'bytesOut'> = { bytesIn: 0, bytesOut: 0 };

  constructor(endpoint: Pick<Endpoint, 'subscribe'>) {
    this.#subscription = endpoint.subscribe({
      onLinkUp: (link) => {
        this.#count(link.remotePeer);
        this.#links.set(link.remotePeer, link);
      },
      onLinkDown: (link) => this.#count(link.remotePeer),
    });
  }

  total(): Pick<LinkTraffic, 'bytesIn' | 'bytesOut'> {
    let { bytesIn, bytesOut } = this.#closed;
    for (const { traffic } of this.#links.values()) {
      bytesIn += traffic.bytesIn;
      bytesOut += traffic.bytesOut;
    }
    return { bytesIn, bytesOut };
  }

  close(): void {
    this.#subscription.unsubscribe();
  }

  /** The link to this neighbour is over, or another has taken its place. */
  #count(peer: PeerId): void {
    const traffic = this.#links.get(peer)?.traffic;
    if (traffic === undefined) return;
    const { bytesIn, bytesOut } = this.#closed;
    this.#closed = { bytesIn: bytesIn + traffic.bytesIn, bytesOut: bytesOut + traffic.bytesOut };
    this.#links.delete(peer);
  }
}
