import { type ErrorCode, PipevineError } from '@pipevine/runtime';
import { defineNode } from '../node/define-node.ts';
import { bodyFormat, encodeBody } from '../node/message-body.ts';
import type { NodeAPI } from '../node/red.ts';
import { inputValue } from '../node/values.ts';
import { openRequests } from './open-requests.ts';

export interface ResponseConfig {
  readonly payload?: string;
  readonly payloadType?: string;
  /** Empty: as the request was read. */
  readonly format?: string;
}

/** Codes with which a flow may refuse; `closed` has a meaning of its own between request nodes. */
const REFUSALS: readonly ErrorCode[] = [
  'refused',
  'not-found',
  'invalid-argument',
  'busy',
  'unsupported',
  'too-large',
  'overloaded',
  'timeout',
  'malformed',
  'internal',
];

export default function pipevineResponse(RED: NodeAPI): void {
  defineNode<ResponseConfig>(
    RED,
    'pipevine-response',
    (context) => {
      const { config } = context;
      const own = config.format ? bodyFormat(config.format) : undefined;
      return {
        onMessage: async (msg) => {
          const { error, pipevine } = msg;
          if (error !== undefined && error !== null) {
            const refusal = refusalFrom(error);
            return openRequests(RED).answer(pipevine, () => refusal);
          }
          const payload = await inputValue(context, config.payload ?? 'payload', config.payloadType ?? 'msg', msg);
          openRequests(RED).answer(pipevine, (format) => encodeBody(payload, own ?? format));
        },
      };
    },
    { needsPeer: false },
  );
}

/** From a text, from `{code, message}`, or from what a catch node has put there. */
function refusalFrom(given: unknown): PipevineError {
  const { code, message } = (typeof given === 'object' && given !== null ? given : {}) as {
    readonly code?: unknown;
    readonly message?: unknown;
  };
  const known = REFUSALS.find((one) => one === code);
  const reason =
    typeof message === 'string' ? message : String(typeof given === 'object' ? 'The flow refused it.' : given);
  return new PipevineError(known ?? (code === undefined ? 'refused' : 'internal'), reason);
}
