import { type ErrorCode, PipevineError } from '@pipevine/runtime';
import { defineNode } from '../node/define-node.ts';
import type { NodeAPI } from '../node/red.ts';
import { givenValue } from './given-value.ts';
import { openInteractions } from './open-interactions.ts';

export interface ReplyConfig {
  /** Default `msg.payload`. */
  readonly payload?: string;
  readonly payloadType?: string;
}

/** Codes with which a flow may refuse. */
const REFUSALS: readonly ErrorCode[] = [
  'refused',
  'invalid-argument',
  'not-found',
  'busy',
  'unsupported',
  'too-large',
  'overloaded',
  'unreachable',
  'timeout',
];

export default function pipevineReply(RED: NodeAPI): void {
  defineNode<ReplyConfig>(
    RED,
    'pipevine-reply',
    (context) => {
      const { config, node } = context;
      return {
        onMessage: async (msg) => {
          const id = requestId(msg.request);
          const refusal = refusalIn(msg.error);
          if (refusal === undefined) {
            const answer = await givenValue(context, config.payload, config.payloadType, msg);
            openInteractions(RED).answer(id, answer);
            return;
          }
          try {
            openInteractions(RED).refuse(id, refusal);
          } catch (error) {
            // A catch node may be what brings errors here: another one would come back to it.
            node.warn(error instanceof Error ? error.message : String(error));
          }
        },
      };
    },
    { needsPeer: false },
  );
}

function requestId(request: unknown): string {
  if (typeof request === 'object' && request !== null && 'id' in request && typeof request.id === 'string') {
    return request.id;
  }
  const message = 'msg.request is missing: the message that came out of "thing expose" must be passed on to this node.';
  throw new PipevineError('invalid-argument', message);
}

/** From a text, from `{code, message}`, or from what a catch node has put there. */
function refusalIn(error: unknown): PipevineError | undefined {
  if (error === undefined || error === null || error === '') return undefined;
  const { code, message } = (typeof error === 'object' ? error : {}) as {
    readonly code?: unknown;
    readonly message?: unknown;
  };
  const known = REFUSALS.find((one) => one === code) ?? 'refused';
  const reason =
    typeof message === 'string' ? message : typeof error === 'object' ? 'The flow refused it.' : String(error);
  return new PipevineError(known, reason);
}
