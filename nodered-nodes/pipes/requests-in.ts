import { PipevineError } from '@pipevine/runtime';
import type { NodeBehaviour, NodeContext } from '../node/define-node.ts';
import { type BodyFormat, decodeBody } from '../node/message-body.ts';
import { seconds } from '../node/seconds.ts';
import { openRequests } from './open-requests.ts';

const DEFAULT_TIMEOUT_SECONDS = 30;
const MAX_TIMEOUT_SECONDS = 3_600;

/**
 * The serving side of request pipes: each request goes into the flow with a handle in `msg.pipevine`, and waits for the reply node.
 * One that cannot be read never reaches the flow.
 */
export function requestsIn(
  { RED, node, config, status }: NodeContext<{ readonly timeout?: unknown }>,
  name: string,
  format: BodyFormat,
): NodeBehaviour {
  const timeoutMs = seconds(config.timeout, DEFAULT_TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS) * 1_000;
  return {
    whileMember: async (group, signal) => {
      const listener = await group.namedPipes.serve({ name }, async (bytes, context) => {
        // A request pipe outlives its listener. This code tells the asker to bind anew, to whoever serves the name now.
        if (signal.aborted) throw new PipevineError('closed', `No flow serves "${name}" here any more.`);
        const payload = decodeBody(bytes, format);
        const { remotePeer, credential } = context;
        const { handle, reply } = openRequests(RED).open({
          peer: remotePeer,
          format,
          timeoutMs,
          signals: [signal, context.signal],
        });
        const about = { topic: name, pipe: name, kind: 'request', peer: remotePeer, roles: credential?.roles ?? [] };
        node.send({ payload, ...about, pipevine: handle });
        return reply;
      });
      status.succeeded();
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener('abort', () => resolve(), { once: true });
      });
      await listener.close();
    },
  };
}
