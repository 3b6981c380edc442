import { PipevineError } from '@pipevine/runtime';
import type { Node, NodeAPI, NodeMessageInFlow } from '../node/red.ts';
import { inputText, messageText } from '../node/values.ts';

/** What the nodes that go to a pipe by its name are told of it. */
export interface WantedPipeConfig {
  /** Empty: `msg.pipe`. */
  readonly pipe?: string;
  readonly pipeType?: string;
  /** Id or name of a peer; empty: `msg.peer`, else the only one that listens. */
  readonly target?: string;
  readonly targetType?: string;
}

export interface WantedPipe {
  readonly name: string;
  /** Id or name. */
  readonly peer: string | undefined;
}

/** The pipe that a node and a message name. Rejects with `invalid-argument` where neither does. */
export async function wantedPipe(
  context: { readonly RED: NodeAPI; readonly node: Node; readonly config: WantedPipeConfig },
  msg: NodeMessageInFlow & { readonly pipe?: unknown; readonly peer?: unknown },
): Promise<WantedPipe> {
  const { pipe = '', pipeType, target = '', targetType } = context.config;
  const name = (await inputText(context, pipe, pipeType, msg, 'The name of a pipe')) ?? messageText(msg.pipe);
  if (name === undefined) {
    throw new PipevineError('invalid-argument', 'The name of the pipe is missing, in the node and in msg.pipe.');
  }
  return { name, peer: (await inputText(context, target, targetType, msg, 'A peer')) ?? messageText(msg.peer) };
}
