import type { AdvertisementQuery, PeerGroup } from '@pipevine/runtime';
import { defineNode } from '../node/define-node.ts';
import type { NodeAPI } from '../node/red.ts';
import { seconds } from '../node/seconds.ts';
import { memberNow } from '../peer/member-now.ts';
import { type DiscoverFilterConfig, discoverFilter } from './discover-filter.ts';
import { foundAdvertisement } from './found-advertisement.ts';

export interface DiscoverConfig extends DiscoverFilterConfig {
  /** `snapshot`: a list for each message. `changes`: each that comes, changes or goes; a message begins anew. */
  readonly mode?: string;
  /** Of a snapshot: one message with a list, or one for each. */
  readonly output?: string;
  readonly limit?: unknown;
  /** Seconds that others have to answer. */
  readonly timeout?: unknown;
  /** Whether the kind's own content comes along. */
  readonly body?: boolean;
}

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;
const DEFAULT_TIMEOUT_SECONDS = 2;
const MAX_TIMEOUT_SECONDS = 60;

export default function pipevineDiscover(RED: NodeAPI): void {
  defineNode<DiscoverConfig>(RED, 'pipevine-discover', (context) => {
    const { config, node, peer, status } = context;
    const limit = Math.ceil(seconds(config.limit, DEFAULT_LIMIT, MAX_LIMIT));
    const timeoutMs = seconds(config.timeout, DEFAULT_TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS) * 1_000;
    const withBody = config.body === true;
    if (config.mode !== 'changes') {
      return {
        onMessage: async (msg, send, signal) => {
          const { group } = memberNow(peer);
          const query = await discoverFilter(context, config, msg, group, signal);
          const found = [];
          for await (const one of group.discover({ ...query, limit }, { timeoutMs, signal })) {
            found.push(foundAdvertisement(one, withBody));
            if (found.length === limit) break;
          }
          status.set('green', 'dot', '@pipevine/node-red/pipevine-discover:status.found', { count: found.length });
          if (config.output !== 'each') {
            send(Object.assign(msg, { payload: found }));
            return;
          }
          for (const [index, payload] of found.entries()) {
            const parts = { id: msg._msgid, type: 'array', len: 1, index, count: found.length };
            send({ ...RED.util.cloneMessage(msg), payload, topic: payload.name, parts });
          }
        },
      };
    }

    let asked: Omit<AdvertisementQuery, 'group'> | undefined;
    let restart = () => {};
    const watch = async (group: PeerGroup, signal: AbortSignal) => {
      const query = asked ?? (await discoverFilter(context, config, {}, group, signal));
      for await (const { change, advertisement } of group.watch(query, { signal })) {
        const payload = foundAdvertisement(advertisement, withBody);
        node.send({ payload, change, topic: payload.name, peer: payload.peer });
        // The flow gets its turn before the next change is taken.
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    return {
      onMessage: async (msg, _send, signal) => {
        asked = await discoverFilter(context, config, msg, memberNow(peer).group, signal);
        restart();
      },
      whileMember: async (group, signal) => {
        while (!signal.aborted) {
          const again = new AbortController();
          restart = () => again.abort();
          status.succeeded();
          try {
            await watch(group, AbortSignal.any([signal, again.signal]));
          } catch (error) {
            if (!again.signal.aborted) throw error;
          }
          if (!again.signal.aborted) return;
        }
      },
    };
  });
}
