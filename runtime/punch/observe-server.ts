import type { Endpoint } from '../endpoint/endpoint.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { checkAccess } from '../group/access.ts';
import type { Clock } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import type { GroupResolver, ResolverContext } from '../resolver/resolver.ts';
import { ownCandidates } from './candidate.ts';
import type { Probes } from './probes.ts';
import { checkObserveRequest, encodeObserved, encodeTicket } from './punch-codec.ts';
import { MAX_REPORTED, PUNCH_HANDLER, TOKEN_BYTES, TOKEN_LIFETIME_MS } from './punch-defaults.ts';
import type { RequestRate } from './request-rate.ts';

export interface ObserveServerInit {
  readonly resolver: Pick<GroupResolver, 'handle'>;
  readonly endpoint: Pick<Endpoint, 'addresses'>;
  readonly probes: Probes;
  readonly rate: RequestRate;
  /** Whether the own credential grants to relay, now. */
  readonly mayServe: () => boolean;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Tells members of one group from where their UDP packets come (what STUN does, RFC 5389). The answer goes over the pipe on
 * which was asked, never over UDP: a forged packet makes this peer send nothing.
 */
export class ObserveServer {
  readonly #init: ObserveServerInit;
  readonly #handler: { close(): void };

  constructor(init: ObserveServerInit) {
    this.#init = init;
    this.#handler = init.resolver.handle(PUNCH_HANDLER, (body, context) => this.#answer(body, context));
  }

  close(): void {
    this.#handler.close();
  }

  async *#answer(body: Uint8Array, context: ResolverContext): AsyncGenerator<Uint8Array> {
    const { endpoint, probes, rate, mayServe, clock, random } = this.#init;
    const { remotePeer, credential, propagated, signal } = context;
    if (propagated) throw new PipevineError('refused', 'A relay is asked by its neighbours.');
    checkAccess('punch.observe', remotePeer, credential);
    checkObserveRequest(body);
    const addresses = ownCandidates(endpoint.addresses);
    if (!mayServe() || addresses.length === 0) {
      throw new PipevineError('not-found', 'This peer is no relay of the group that takes probes; ask another.');
    }
    rate.take(remotePeer);
    const seen = new Set<EndpointAddress>();
    const unsaid: EndpointAddress[] = [];
    let wake = (): void => {};
    const token = random.bytes(TOKEN_BYTES);
    const expected = probes.expect(token, (from) => {
      if (seen.has(from) || seen.size >= MAX_REPORTED) return;
      seen.add(from);
      unsaid.push(from);
      wake();
    });
    let isOver = false;
    const end = (): void => {
      isOver = true;
      wake();
    };
    const timer = clock.setTimer(TOKEN_LIFETIME_MS, end);
    signal.addEventListener('abort', end);
    try {
      yield encodeTicket(token, addresses);
      while (!isOver && !signal.aborted) {
        const next = unsaid.shift();
        if (next !== undefined) yield encodeObserved(next);
        else if (seen.size >= MAX_REPORTED) return;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      timer.cancel();
      signal.removeEventListener('abort', end);
      expected.close();
    }
  }
}
