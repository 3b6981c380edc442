import type { Node, NodeAPI, NodeMessage } from '../node/red.ts';
import { inputValue } from '../node/values.ts';

/** What a field of the dialog stands for with this message; `msg.payload` where it says nothing. Rejects as `inputValue` does. */
export function givenValue(
  context: { readonly RED: NodeAPI; readonly node: Node },
  value: string | undefined,
  type: string | undefined,
  msg: NodeMessage,
): Promise<unknown> {
  const kind = type || 'msg';
  return inputValue(context, value || (kind === 'msg' ? 'payload' : ''), kind, msg);
}
