import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { WaitOptions } from '../pipe/pipe.ts';
import type { RelaySource } from '../pipe/pipe-paths.ts';
import type { Route, Router } from './router.ts';

type OpenRouter = Pick<Router, 'routesTo' | 'seek' | 'failed' | 'worked'>;

/** The relays that peers name, and the ways that the routers of the open groups find. */
export class RoutedRelays implements RelaySource {
  readonly #named: Pick<RelaySource, 'relaysOf'>;
  readonly #routers = new Map<GroupId, OpenRouter>();

  constructor(named: Pick<RelaySource, 'relaysOf'>) {
    this.#named = named;
  }

  /** From now on ways in that group come from this router, until it is closed. */
  open(group: GroupId, router: OpenRouter): { close(): void } {
    this.#routers.set(group, router);
    return {
      close: () => {
        if (this.#routers.get(group) === router) this.#routers.delete(group);
      },
    };
  }

  relaysOf(peer: PeerId, group: GroupId): readonly PeerId[] {
    return this.#named.relaysOf(peer, group);
  }

  routesTo(peer: PeerId, group: GroupId): readonly Route[] {
    return this.#routers.get(group)?.routesTo(peer) ?? [];
  }

  async seek(peer: PeerId, group: GroupId, options?: Pick<WaitOptions, 'signal'>): Promise<void> {
    await this.#routers.get(group)?.seek(peer, options);
  }

  failed(peer: PeerId, group: GroupId, route: Route, at?: number): void {
    this.#routers.get(group)?.failed(peer, route, at);
  }

  worked(peer: PeerId, group: GroupId, route: Route): void {
    this.#routers.get(group)?.worked(peer, route);
  }
}
