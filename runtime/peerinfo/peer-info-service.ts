import { PipevineError } from '../error/pipevine-error.ts';
import { checkAccess } from '../group/access.ts';
import { type Grant, may } from '../group/capability.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { WaitOptions } from '../pipe/pipe.ts';
import type { ReachingResolver, ResolverContext } from '../resolver/resolver.ts';
import type { PeerInfo, PeerInfoAudience, PeerInfoLink, PeerInfoPolicy } from './peer-info.ts';
import { decodeInfoQuery, decodePeerInfo, encodeInfoQuery, encodePeerInfo } from './peer-info-codec.ts';
import { PEER_INFO_HANDLER, PEER_INFO_POLICY } from './peer-info-defaults.ts';

/** What this peer can say of itself now. */
export type PeerInfoFacts = Omit<PeerInfo, 'linkCount' | 'links'> & { readonly links: readonly PeerInfoLink[] };

export interface PeerInfoServiceInit {
  readonly resolver: Pick<ReachingResolver, 'handle' | 'reach'>;
  /** Called for each answer; `groups` are those that `asker` is in, too. */
  readonly facts: (asker: PeerId) => PeerInfoFacts;
  /** Default: PEER_INFO_POLICY. */
  readonly policy?: Partial<PeerInfoPolicy>;
}

export interface PeerInfoOptions extends WaitOptions {
  /** Whether to ask for the links, too. Default: true. */
  readonly links?: boolean;
}

/** Tells the members of one group about this peer, within its policy, and asks them. Rates are the resolver's. */
export class PeerInfoService {
  readonly #init: PeerInfoServiceInit;
  readonly #policy: PeerInfoPolicy;
  readonly #handler: { close(): void };

  constructor(init: PeerInfoServiceInit) {
    this.#init = init;
    this.#policy = { ...PEER_INFO_POLICY, ...init.policy };
    this.#handler = init.resolver.handle(PEER_INFO_HANDLER, (body, context) => this.#answer(body, context));
  }

  /**
   * Asks one member, linked first if need be, or over a relay; default deadline 10 s. Rejects with `refused` when it does not tell this
   * peer, `malformed`, `timeout`, `unreachable` ...
   */
  async ask(peer: PeerId, { links = true, ...wait }: PeerInfoOptions = {}): Promise<PeerInfo> {
    const member = await this.#init.resolver.reach(peer, wait);
    return decodePeerInfo(await member.request(PEER_INFO_HANDLER, encodeInfoQuery({ links }), wait));
  }

  /** Answers no more. Idempotent. */
  close(): void {
    this.#handler.close();
  }

  async #answer(body: Uint8Array, { group, remotePeer, credential, propagated }: ResolverContext): Promise<Uint8Array> {
    checkAccess('peerinfo.read', remotePeer, credential);
    const { basics, links } = this.#policy;
    // One answer to one question: a propagated one would make every member answer at once.
    if (propagated || !tells(basics, credential)) {
      const whom = propagated ? 'peers that ask it directly' : basics;
      throw new PipevineError('refused', `This peer tells ${whom} about itself (option peer-info of that peer).`);
    }
    const query = decodeInfoQuery(body);
    const facts = this.#init.facts(remotePeer);
    return encodePeerInfo({
      ...facts,
      // It has just shown that it is in this one, though it may never have been a neighbour.
      groups: [...new Set([...facts.groups, group])],
      linkCount: facts.links.length,
      links: query.links && tells(links, credential) ? facts.links : undefined,
    });
  }
}

const tells = (audience: PeerInfoAudience, asker: Grant): boolean =>
  audience === 'members' || (audience === 'administrators' && may(asker, 'administer'));
