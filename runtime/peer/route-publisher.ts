import type { AdvertisementInit } from '../advertisement/advertisement.ts';
import { encodeRouteBody } from '../advertisement/route-body.ts';
import type { DiscoveryService } from '../discovery/discovery-service.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';

export interface RoutePublisherInit {
  readonly discovery: Pick<DiscoveryService, 'publish' | 'withdraw'>;
  readonly group: GroupId;
  readonly key: string;
  readonly onError: (error: PipevineError) => void;
}

/** Publishes one of a peer's `route` advertisements, one version after the other; of those that wait only the last. */
export class RoutePublisher {
  readonly #init: RoutePublisherInit;
  #publishing: Promise<void> | undefined;
  #next: { readonly relays: readonly PeerId[] | undefined } | undefined;
  #closed = false;

  constructor(init: RoutePublisherInit) {
    this.#init = init;
  }

  /** `undefined` withdraws. */
  publish(relays: readonly PeerId[] | undefined): void {
    if (this.#closed) return;
    this.#next = { relays };
    this.#publishing ??= this.#run();
  }

  /** Resolves when nothing is under way any more. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#next = undefined;
    await this.#publishing;
  }

  async #run(): Promise<void> {
    const { discovery, group, key, onError } = this.#init;
    const name: Pick<AdvertisementInit, 'kind' | 'group' | 'key'> = { kind: 'route', group, key };
    for (let next = this.#next; next !== undefined; next = this.#next) {
      this.#next = undefined;
      const { relays } = next;
      try {
        if (relays === undefined) await discovery.withdraw(name);
        else await discovery.publish({ ...name, name: '', body: encodeRouteBody({ relays }) });
      } catch (error) {
        if (!(error instanceof PipevineError)) throw error;
        if (!this.#closed) onError(error);
      }
    }
    this.#publishing = undefined;
  }
}
