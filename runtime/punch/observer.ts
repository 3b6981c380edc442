import type { Endpoint } from '../endpoint/endpoint.ts';
import { formatEndpointAddress, parseEndpointAddress } from '../endpoint/endpoint-address.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { may } from '../group/capability.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import type { GroupNeighbour, GroupResolver } from '../resolver/resolver.ts';
import { isIPv6Address, isLoopbackAddress, isPunchable, ownCandidates } from './candidate.ts';
import type { Probes } from './probes.ts';
import { decodeObserveAnswer, type Mapping, OBSERVE_REQUEST } from './punch-codec.ts';
import {
  MAX_OBSERVED,
  MAX_OBSERVER_ADDRESSES,
  MAX_OBSERVERS,
  OBSERVATION_LIFETIME_MS,
  OBSERVE_AT_MS,
  OBSERVE_GRACE_MS,
  OBSERVE_TIMEOUT_MS,
  PUNCH_HANDLER,
  PUNCH_SCHEME,
} from './punch-defaults.ts';

export interface ObserverInit {
  readonly endpoint: Pick<Endpoint, 'addresses' | 'linkTo'>;
  readonly resolver: Pick<GroupResolver, 'neighbours'>;
  readonly probes: Probes;
  readonly clock: Clock;
}

/** What relays saw of this peer. */
export interface Observation {
  readonly addresses: readonly EndpointAddress[];
  readonly mapping: Mapping;
}

/** Asks relays of one group from where this peer's packets come. */
export class Observer {
  readonly #init: ObserverInit;
  #last: { readonly untilMs: number; readonly own: string; readonly observation: Promise<Observation> } | undefined;

  constructor(init: ObserverInit) {
    this.#init = init;
  }

  /** Within OBSERVE_TIMEOUT_MS; never rejects: what no relay tells is not known. */
  observe(): Promise<Observation> {
    const { clock, endpoint } = this.#init;
    const now = clock.monotonicMs();
    const own = endpoint.addresses.join(' ');
    if (this.#last === undefined || this.#last.untilMs <= now || this.#last.own !== own) {
      this.#last = { untilMs: now + OBSERVATION_LIFETIME_MS, own, observation: this.#ask() };
    }
    return this.#last.observation;
  }

  async #ask(): Promise<Observation> {
    const { resolver, endpoint, clock } = this.#init;
    const relays = resolver.neighbours().filter(({ credential }) => may(credential, 'relay'));
    const own = ownCandidates(endpoint.addresses);
    const over = new AbortController();
    const asked = relays.slice(0, MAX_OBSERVERS).map((relay) => ({ relay, seen: new Set<EndpointAddress>() }));
    const timers = [clock.setTimer(OBSERVE_TIMEOUT_MS, () => over.abort())];
    const asking = asked.map(async ({ relay, seen }) => {
      await this.#askOne(relay, own, seen, over.signal);
      if (seen.size > 0) timers.push(clock.setTimer(OBSERVE_GRACE_MS, () => over.abort()));
    });
    await Promise.all(asking);
    for (const timer of timers) timer.cancel();
    const views = asked.map(({ seen }) => [...seen]).filter((view) => view.length > 0);
    const addresses = [...new Set(views.flat())].slice(0, MAX_OBSERVED);
    return { addresses, mapping: mappingOf(views, own) };
  }

  /** Ends when the relay has seen a packet of each family that both have, when it ends or fails, or by the signal. */
  async #askOne(
    relay: GroupNeighbour,
    own: readonly EndpointAddress[],
    seen: Set<EndpointAddress>,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, probes } = this.#init;
    const timers: Timer[] = [];
    const missing = new Set<boolean>();
    try {
      const answers = relay.stream(PUNCH_HANDLER, OBSERVE_REQUEST, { signal, timeoutMs: OBSERVE_TIMEOUT_MS });
      for await (const bytes of answers) {
        const answer = decodeObserveAnswer(bytes);
        if (answer.type === 'ticket') {
          if (timers.length > 0)
            throw new PipevineError('protocol', 'A relay gave two tokens where one was asked for.');
          const targets = this.#targetsOf(relay, answer.addresses, own);
          for (const target of targets) missing.add(isIPv6Address(target));
          if (targets.length === 0) return;
          for (const atMs of OBSERVE_AT_MS) {
            timers.push(
              clock.setTimer(atMs, () => {
                for (const target of targets) probes.send(target, answer.token);
              }),
            );
          }
        } else if (isPunchable(answer.address, own.some(isLoopbackAddress))) {
          seen.add(answer.address);
          missing.delete(isIPv6Address(answer.address));
          if (missing.size === 0) return;
        }
      }
    } catch (error) {
      // A relay that cannot tell, or tells nonsense, is one less.
      if (!(error instanceof PipevineError)) throw error;
    } finally {
      for (const timer of timers) timer.cancel();
    }
  }

  /** Where the relay says to be, and its ports where the link to it leads: it may be behind a NAT of its own. */
  #targetsOf(
    relay: GroupNeighbour,
    said: readonly EndpointAddress[],
    own: readonly EndpointAddress[],
  ): readonly EndpointAddress[] {
    const families = new Set(own.map(isIPv6Address));
    const remote = this.#init.endpoint.linkTo(relay.peer)?.remoteAddress;
    const guessed = remote === undefined ? [] : said.flatMap((address) => atHostOf(remote, address) ?? []);
    return [...new Set([...said, ...guessed])]
      .filter((address) => isPunchable(address, own.some(isLoopbackAddress)) && families.has(isIPv6Address(address)))
      .slice(0, MAX_OBSERVER_ADDRESSES);
  }
}

/** The port of one address at the host of another. */
function atHostOf(remote: EndpointAddress, address: EndpointAddress): EndpointAddress | undefined {
  try {
    const { host } = parseEndpointAddress(remote);
    const { port } = parseEndpointAddress(address);
    return formatEndpointAddress({ scheme: PUNCH_SCHEME, host, port, path: '' });
  } catch {
    return undefined;
  }
}

/** IPv4 only: IPv6 is routed. Two relays that saw no address in common met a mapping for each destination. */
function mappingOf(views: readonly (readonly EndpointAddress[])[], own: readonly EndpointAddress[]): Mapping {
  const translated = views
    .map((view) => view.filter((address) => !isIPv6Address(address)))
    .filter(({ length }) => length > 0);
  if (translated.some((view) => view.some((address) => own.includes(address)))) return 'independent';
  const [first, ...others] = translated;
  if (first === undefined || others.length === 0) return 'unknown';
  return others.every((view) => view.some((address) => first.includes(address))) ? 'independent' : 'dependent';
}
