import type { Client } from 'aedes';
import type { Pace } from './broker-persistence.ts';
import type { ClientScreen } from './client-screen.ts';
import type { ScreenedStream } from './screened-stream.ts';
import { topicMatches } from './topic.ts';

/** Above this many waiting bytes the next retained or queued message waits. */
const PACE_BYTES = 128 * 1024;

/** One connection of the embedded broker, with what aedes does not keep itself. */
export class BrokerClient implements Pace {
  readonly stream: ScreenedStream;
  readonly screen: ClientScreen;
  readonly address: string;
  /** The host's own connection, which needs no login. */
  readonly trusted: boolean;
  /** Set by the first CONNECT that aedes sees. */
  client: Client | undefined;
  /** A persistent session without a client id (MQTT 3.1.1, 3.1.3.1), or one that is too long. */
  identifierFault = false;
  /** Number of filters, those of a SUBSCRIBE in progress included. */
  subscriptions = 0;
  /** Acknowledgements of this client's messages, in order. */
  publishing: Promise<void> | undefined;
  /** Counter of the message that was forwarded last: the same again comes from an overlapping filter. */
  lastForwarded = 0;
  flushedAtSweep = 0;
  stuckSinceMs: number | undefined;

  constructor(init: { stream: ScreenedStream; screen: ClientScreen; address: string; trusted: boolean }) {
    this.stream = init.stream;
    this.screen = init.screen;
    this.address = init.address;
    this.trusted = init.trusted;
  }

  async ready(): Promise<boolean> {
    await this.stream.drained(PACE_BYTES);
    await this.screen.translation?.heldBelow(PACE_BYTES);
    return !this.stream.destroyed;
  }

  wantsRetained(filter: string): boolean {
    return this.screen.translation?.withoutRetained.has(filter) !== true;
  }

  /** Whether a message that this client published comes back to it against its will (MQTT 5, "no local"). */
  isUnwantedEcho(topic: string, publisherId: string | undefined): boolean {
    const filters = this.screen.translation?.noLocal;
    if (filters === undefined || filters.size === 0 || publisherId !== this.client?.id) return false;
    for (const filter of filters) if (topicMatches(filter, topic)) return true;
    return false;
  }
}
