import { type PeerGroup, PipevineError } from '@pipevine/runtime';
import { defineNode } from '../node/define-node.ts';
import { InTurn } from '../node/in-turn.ts';
import { bodyFormat, encodeBody } from '../node/message-body.ts';
import { isUndelivered, pipevineFailure } from '../node/pipevine-failure.ts';
import type { NodeAPI } from '../node/red.ts';
import { inputValue } from '../node/values.ts';
import { memberNow } from '../peer/member-now.ts';
import { flowPipeKind } from './flow-pipe-kind.ts';
import { OpenPipes } from './open-pipes.ts';
import { type WantedPipeConfig, wantedPipe } from './wanted-pipe.ts';

export interface PipeOutConfig extends WantedPipeConfig {
  readonly payload?: string;
  readonly payloadType?: string;
  readonly kind?: string;
  readonly format?: string;
}

/** Messages that wait for their acknowledgement at a time: enough for a fast path that acknowledges every 25 ms. */
const IN_WORK = 1_024;

export default function pipevinePipeOut(RED: NodeAPI): void {
  defineNode<PipeOutConfig>(
    RED,
    'pipevine-pipe-out',
    (context) => {
      const { config, peer } = context;
      const kind = flowPipeKind(config.kind);
      const format = bodyFormat(config.format ?? 'auto');
      // Expressions may take their time; the order of the messages is that in which they came.
      const turns = new InTurn();
      let open: { readonly group: PeerGroup; readonly pipes: OpenPipes } | undefined;
      const pipesNow = () => {
        const { group, peer: member } = memberNow(peer);
        if (open?.group === group) return open.pipes;
        void open?.pipes.close();
        open = { group, pipes: new OpenPipes({ group, peer: member, onBack: context.retry }) };
        return open.pipes;
      };

      return {
        onMessage: async (msg, _send, signal) => {
          let sent: Promise<void> | undefined;
          await turns.run(async () => {
            const { name, peer: to } = await wantedPipe(context, msg);
            const payload = await inputValue(context, config.payload ?? 'payload', config.payloadType ?? 'msg', msg);
            const body = encodeBody(payload, format);
            sent = pipesNow().send({ pipe: name, kind, peer: to }, body, signal);
            sent.catch(() => {});
          });
          try {
            await sent;
          } catch (cause) {
            throw whatNow(pipevineFailure(cause), peer?.offline.policy);
          }
        },
        onClose: async () => open?.pipes.close(),
      };
    },
    { delivers: true, inWork: IN_WORK },
  );
}

/**
 * Of a pipe that broke while it waited for acknowledgements, nobody knows what has come. Where messages are kept it is sent again
 * (so it may come twice), where they are dropped it is dropped; else a catch node is told.
 */
function whatNow(error: PipevineError, policy: 'drop' | 'error' | 'queue' | undefined): PipevineError {
  if (isUndelivered(error) || policy === undefined || policy === 'error') return error;
  if (error.code !== 'closed' && error.code !== 'timeout' && error.code !== 'aborted') return error;
  return new PipevineError('unreachable', error.message, { cause: error });
}
