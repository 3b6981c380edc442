import { PipevineError } from '../error/pipevine-error.ts';
import { may } from '../group/capability.ts';
import type { GroupAccess } from '../group/group-access.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import type { WaitOptions } from '../pipe/pipe.ts';
import type { Clock } from '../platform/clock.ts';
import type { GroupResolver } from '../resolver/resolver.ts';
import { MAILBOX_HANDLER, RELAY_TIMEOUT_MS } from './mailbox-defaults.ts';
import type { MailboxServer } from './mailbox-server.ts';
import { RequestPace } from './request-pace.ts';

/** Relays whose pace is remembered. */
const MAX_PACES = 64;

/** A relay that can be asked now. */
export interface RelayConnection {
  request(body: Uint8Array): Promise<Uint8Array>;
  /** `timeoutMs` is for the first answer or the end. */
  stream(body: Uint8Array, options: WaitOptions): AsyncIterable<Uint8Array>;
}

export interface RelayConnectionsInit {
  readonly resolver: Pick<GroupResolver, 'localPeer' | 'connect'>;
  readonly access: GroupAccess;
  readonly clock: Clock;
  /** Where this peer is a relay itself. */
  readonly local?: Pick<MailboxServer, 'answer'>;
}

/** Ways to relays: by the group's resolver, or within this peer. */
export class RelayConnections {
  readonly #init: RelayConnectionsInit;
  readonly #paces = new Map<PeerId, RequestPace>();

  constructor(init: RelayConnectionsInit) {
    this.#init = init;
  }

  /** Rejects with what `connect` rejects with, and with `refused` for a member that may not be a relay. */
  async open(relay: PeerId, options: WaitOptions = {}): Promise<RelayConnection> {
    const { resolver, local } = this.#init;
    if (relay === resolver.localPeer) {
      if (local === undefined) throw new PipevineError('not-found', 'This peer is no relay itself.');
      return this.#within(local);
    }
    const neighbour = await resolver.connect(relay, { timeoutMs: RELAY_TIMEOUT_MS, ...options });
    if (!may(neighbour.credential, 'relay')) {
      const what = `Peer ${shortPeerId(relay)} may not keep messages: its credential lacks the capability "relay".`;
      throw new PipevineError('refused', what);
    }
    const pace = this.#pace(relay);
    return {
      request: async (body) => {
        await pace.turn();
        return neighbour.request(MAILBOX_HANDLER, body, { timeoutMs: RELAY_TIMEOUT_MS });
      },
      stream: (body, wait) => neighbour.stream(MAILBOX_HANDLER, body, { timeoutMs: RELAY_TIMEOUT_MS, ...wait }),
    };
  }

  #within(local: Pick<MailboxServer, 'answer'>): RelayConnection {
    const answer = (body: Uint8Array, signal: AbortSignal) => {
      const { resolver, access } = this.#init;
      const remotePeer = resolver.localPeer;
      const credential = access.verify(remotePeer, access.credentialOf(remotePeer));
      if (credential === undefined) throw new PipevineError('refused', 'A mailbox is for members of a group.');
      return local.answer(body, { remotePeer, credential, propagated: false, signal });
    };
    return {
      request: async (body) => {
        const answered = answer(body, new AbortController().signal);
        if (Symbol.asyncIterator in answered) throw new PipevineError('protocol', 'The answer is a sequence.');
        return answered;
      },
      async *stream(body, { signal = new AbortController().signal }) {
        const answered = answer(body, signal);
        if (!(Symbol.asyncIterator in answered)) throw new PipevineError('protocol', 'The answer is no sequence.');
        yield* answered;
      },
    };
  }

  #pace(relay: PeerId): RequestPace {
    let pace = this.#paces.get(relay);
    if (pace !== undefined) return pace;
    for (const oldest of this.#paces.keys()) {
      if (this.#paces.size < MAX_PACES) break;
      this.#paces.delete(oldest);
    }
    pace = new RequestPace(this.#init.clock);
    this.#paces.set(relay, pace);
    return pace;
  }
}
