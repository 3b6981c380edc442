import { type PeerGroup, PipevineError } from '@pipevine/runtime';
import { defineNode, type NodeContext } from '../node/define-node.ts';
import { type BodyFormat, bodyFormat, decodeBody } from '../node/message-body.ts';
import { pipevineFailure } from '../node/pipevine-failure.ts';
import type { NodeAPI } from '../node/red.ts';
import { AcceptedPipes } from './accepted-pipes.ts';
import { type FlowPipeKind, flowPipeKind } from './flow-pipe-kind.ts';
import { requestsIn } from './requests-in.ts';

export interface PipeInConfig {
  readonly pipe: string;
  /** As of the pipes that flows send on, or `request`: then a reply node answers. */
  readonly kind?: string;
  readonly format?: string;
  /** Of requests: seconds that the flow has for its reply. */
  readonly timeout?: unknown;
}

/** Errors that one sender can make a node report: one in this time, the others are counted in it. */
const ERROR_INTERVAL_MS = 1_000;

export default function pipevinePipeIn(RED: NodeAPI): void {
  defineNode<PipeInConfig>(RED, 'pipevine-pipe-in', (context) => {
    const { config, status } = context;
    const name = config.pipe.trim();
    if (name === '') throw new PipevineError('invalid-argument', 'The name of the pipe is missing.');
    const format = bodyFormat(config.format ?? 'auto');
    if (config.kind === 'request') return requestsIn(context, name, format);
    const kind = flowPipeKind(config.kind);
    const take = taker(context, name, kind, format);
    return {
      whileMember: async (group, signal) => {
        const listening = kind === 'propagate' ? await hear(group, name, take) : await accept(group, name, kind, take);
        status.succeeded();
        await aborted(signal);
        await listening.close();
      },
    };
  });
}

type Take = (bytes: Uint8Array, peer: string, roles: readonly string[]) => Promise<void>;

function taker({ node }: NodeContext<PipeInConfig>, name: string, kind: FlowPipeKind, format: BodyFormat): Take {
  let quietUntilMs = 0;
  let quieted = 0;
  return async (bytes, peer, roles) => {
    const about = { topic: name, pipe: name, kind, peer, roles };
    try {
      node.send({ payload: decodeBody(bytes, format), ...about });
    } catch (error) {
      const nowMs = performance.now();
      if (nowMs < quietUntilMs) quieted++;
      else {
        const failure = pipevineFailure(error);
        const more = quieted === 0 ? '' : ` (and ${quieted} before it)`;
        const reported = new PipevineError(failure.code, failure.message + more, { cause: error });
        quietUntilMs = nowMs + ERROR_INTERVAL_MS;
        quieted = 0;
        node.error(reported, { payload: Buffer.from(bytes.subarray(0, 1024)), ...about });
      }
    }
    // The flow gets its turn before the next message is asked for; what it cannot keep up with stays at the sender.
    await new Promise((resolve) => setImmediate(resolve));
  };
}

async function accept(
  group: PeerGroup,
  name: string,
  kind: Exclude<FlowPipeKind, 'propagate'>,
  take: Take,
): Promise<{ close(): Promise<void> }> {
  const pipes = new AcceptedPipes();
  const listener = await group.namedPipes.listen({ name, kind }, (pipe) => {
    if (!pipes.add(pipe)) return;
    pipe.receive((bytes) => take(bytes, pipe.remotePeer, pipe.credential?.roles ?? []));
  });
  return {
    close: async () => {
      await listener.close();
      await pipes.close();
    },
  };
}

async function hear(group: PeerGroup, name: string, take: Take): Promise<{ close(): Promise<void> }> {
  const pipe = await group.namedPipes.propagate(name, { listed: true });
  pipe.receive(({ bytes, from, credential }) => take(bytes, from, credential.roles));
  return { close: async () => pipe.close() };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
