import type { AdvertisementKind } from '../advertisement/advertisement.ts';
import type { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import { NEIGHBOURS_KEY } from '../advertisement/route-body.ts';
import { checkAccess } from '../group/access.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import { MAX_RELAY_HOPS } from '../pipe/relayed-path.ts';
import type { ResolverContext } from '../resolver/resolver.ts';
import { decodeRouteQuery, encodeRouteAnswer } from './route-codec.ts';
import type { RouteTable } from './route-table.ts';
import { MAX_ANSWER_ADVERTISEMENTS } from './router-defaults.ts';

export interface RouteAnswersInit {
  readonly group: GroupId;
  readonly store: Pick<AdvertisementStore, 'held'>;
  readonly table: RouteTable;
  readonly hostOf: (peer: PeerId) => PeerId | undefined;
}

/** Answers questions for routes with what is held: nothing else is asked for them. */
export class RouteAnswers {
  readonly #init: RouteAnswersInit;
  #answered = 0;

  constructor(init: RouteAnswersInit) {
    this.#init = init;
  }

  /** Questions to which there was an answer. */
  get answered(): number {
    return this.#answered;
  }

  /** As a ResolverHandler. Throws `malformed`, `too-large` or `refused`. */
  answer(body: Uint8Array, { remotePeer, credential, propagated }: ResolverContext): AsyncIterable<Uint8Array> {
    checkAccess('route.query', remotePeer, credential);
    const advertisements = this.#about(decodeRouteQuery(body));
    if (advertisements.length > 0) this.#answered++;
    return given(propagated && advertisements.length === 0 ? [] : [encodeRouteAnswer(advertisements)]);
  }

  /** From the peer inwards; nothing when it is not known where the peer leases, and it is no relay. */
  #about(target: PeerId): readonly Uint8Array[] {
    const { table, hostOf } = this.#init;
    const host = hostOf(target);
    const ends = [target, ...(host === undefined || host === target ? [] : [host])];
    if (!ends.some((peer) => table.relaysOf(peer).length > 0 || table.isRelay(peer))) return [];
    const advertisements: Uint8Array[] = [];
    const seen = new Set<PeerId>();
    let edge: readonly PeerId[] = ends;
    for (let hops = 0; hops < MAX_RELAY_HOPS && edge.length > 0; hops++) {
      const next: PeerId[] = [];
      for (const peer of edge) {
        if (seen.has(peer)) continue;
        if (advertisements.length >= MAX_ANSWER_ADVERTISEMENTS) return advertisements;
        seen.add(peer);
        advertisements.push(...this.#signedBy(peer, hops === 0));
        next.push(...table.neighboursOf(peer), ...(hops === 0 ? table.relaysOf(peer) : []));
      }
      edge = next;
    }
    return advertisements;
  }

  #signedBy(publisher: PeerId, isEnd: boolean): readonly Uint8Array[] {
    const { group, store } = this.#init;
    const wanted: (readonly [AdvertisementKind, string])[] = [
      ...(isEnd
        ? ([
            ['route', ''],
            ['delegation', ''],
          ] as const)
        : []),
      ['route', NEIGHBOURS_KEY],
      ['peer', ''],
    ];
    return wanted.flatMap(([kind, key]) => store.held({ group, kind, publisher, key })?.encoded() ?? []);
  }
}

async function* given(answers: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* answers;
}
