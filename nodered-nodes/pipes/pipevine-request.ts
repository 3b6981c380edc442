import type { PeerGroup } from '@pipevine/runtime';
import { defineNode } from '../node/define-node.ts';
import { bodyFormat, decodeBody, encodeBody } from '../node/message-body.ts';
import { deliveredFailure } from '../node/pipevine-failure.ts';
import type { NodeAPI } from '../node/red.ts';
import { seconds } from '../node/seconds.ts';
import { inputValue } from '../node/values.ts';
import { memberNow } from '../peer/member-now.ts';
import { RequestPipes } from './request-pipes.ts';
import { type WantedPipeConfig, wantedPipe } from './wanted-pipe.ts';

export interface RequestConfig extends WantedPipeConfig {
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
          const wanted = await wantedPipe(context, msg);
          const payload = await inputValue(context, config.payload ?? 'payload', config.payloadType ?? 'msg', msg);
          const body = encodeBody(payload, format);
          const reply = await pipesOf(memberNow(peer).group).request(wanted, body, { signal, timeoutMs });
          try {
            msg.payload = decodeBody(reply.bytes, replyFormat);
          } catch (error) {
            throw deliveredFailure(error);
          }
          send(Object.assign(msg, { pipe: wanted.name, peer: reply.peer }));
        },
        onClose: async () => open?.pipes.close(),
      };
    },
    { delivers: true, inWork: IN_WORK },
  );
}
