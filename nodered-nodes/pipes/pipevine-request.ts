import { type PeerGroup, PipevineError } from '@pipevine/runtime';
import { defineNode } from '../node/define-node.ts';
import { bodyFormat, decodeBody, encodeBody } from '../node/message-body.ts';
import { deliveredFailure } from '../node/pipevine-failure.ts';
import type { NodeAPI } from '../node/red.ts';
import { seconds } from '../node/seconds.ts';
import { inputText, inputValue } from '../node/values.ts';
import { RequestPipes } from './request-pipes.ts';

export interface RequestConfig {
  /** Empty: `msg.pipe`. */
  readonly pipe: string;
  readonly pipeType?: string;
  /** Id or name of a peer; empty: `msg.peer`, else the only one that serves. */
  readonly target?: string;
  readonly targetType?: string;
  readonly payload?: string;
  readonly payloadType?: string;
  /** How the request is written. */
  readonly format?: string;
  /** How the reply is read; empty: as the request is written. */
  readonly replyFormat?: string;
  /** Seconds. */
  readonly timeout?: unknown;
}

/** As many as one request pipe has under way. */
const IN_WORK = 256;
const DEFAULT_TIMEOUT_SECONDS = 10;
const MAX_TIMEOUT_SECONDS = 3_600;

export default function pipevineRequest(RED: NodeAPI): void {
  defineNode<RequestConfig>(
    RED,
    'pipevine-request',
    (context) => {
      const { config, peer } = context;
      const format = bodyFormat(config.format || 'auto');
      const replyFormat = bodyFormat(config.replyFormat || format);
      const timeoutMs = seconds(config.timeout, DEFAULT_TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS) * 1_000;
      let open: { readonly group: PeerGroup; readonly pipes: RequestPipes } | undefined;
      const pipesOf = (group: PeerGroup) => {
        if (open?.group === group) return open.pipes;
        void open?.pipes.close();
        open = { group, pipes: new RequestPipes(group) };
        return open.pipes;
      };

      return {
        onMessage: async (msg, send, signal) => {
          const name =
            (await inputText(context, config.pipe ?? '', config.pipeType, msg, 'The name of a pipe')) ?? text(msg.pipe);
          if (name === undefined) {
            throw new PipevineError(
              'invalid-argument',
              'The name of the pipe is missing, in the node and in msg.pipe.',
            );
          }
          const target = await inputText(context, config.target ?? '', config.targetType, msg, 'A peer');
          const payload = await inputValue(context, config.payload ?? 'payload', config.payloadType ?? 'msg', msg);
          const body = encodeBody(payload, format);
          const group = peer?.session.group;
          if (group === undefined) throw new PipevineError('unreachable', 'This peer is in no group now.');
          const reply = await pipesOf(group).request({ name, peer: target ?? text(msg.peer) }, body, {
            signal,
            timeoutMs,
          });
          try {
            msg.payload = decodeBody(reply.bytes, replyFormat);
          } catch (error) {
            throw deliveredFailure(error);
          }
          send(Object.assign(msg, { pipe: name, peer: reply.peer }));
        },
        onClose: async () => open?.pipes.close(),
      };
    },
    { delivers: true, inWork: IN_WORK },
  );
}

const text = (value: unknown) => (typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined);
