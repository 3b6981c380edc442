import { PipevineError } from '@pipevine/runtime';
import type { Node, NodeAPI, NodeMessage } from './red.ts';

/** Kinds of value that a typedInput gives. */
export type ValueType =
  | 'str'
  | 'num'
  | 'bool'
  | 'json'
  | 'bin'
  | 'date'
  | 'msg'
  | 'flow'
  | 'global'
  | 'env'
  | 'jsonata';

/** Node-RED's evaluateNodeProperty, the form with a callback, which is right for all types. */
type Evaluate = (
  value: string,
  type: string,
  node: Node,
  msg: NodeMessage,
  callback: (error: unknown, value: unknown) => void,
) => void;

/**
 * What a typedInput of a node stands for with this message. Rejects with `invalid-argument` when the expression fails, or the
 * context store does.
 */
export function inputValue(
  { RED, node }: { readonly RED: NodeAPI; readonly node: Node },
  value: string,
  type: ValueType | string | undefined,
  msg: NodeMessage,
): Promise<unknown> {
  if (type === undefined || type === 'str') return Promise.resolve(value);
  return new Promise((resolve, reject) => {
    const failed = (cause: unknown) => {
      const reason = cause instanceof Error ? cause.message : String((cause as { message?: unknown } | null)?.message);
      reject(new PipevineError('invalid-argument', `The ${type} expression "${value}" failed: ${reason}`, { cause }));
    };
    try {
      // The published types lack the callback's own overload.
      const evaluate = RED.util.evaluateNodeProperty as unknown as Evaluate;
      evaluate(value, type, node, msg, (error, result) => (error ? failed(error) : resolve(result)));
    } catch (error) {
      failed(error);
    }
  });
}

/** As `inputValue`, for a name or an address: a text, trimmed. Empty and absent are undefined; else rejects with `invalid-argument`. */
export async function inputText(
  context: { readonly RED: NodeAPI; readonly node: Node },
  value: string,
  type: ValueType | string | undefined,
  msg: NodeMessage,
  what: string,
): Promise<string | undefined> {
  const found = await inputValue(context, value, type, msg);
  if (found === undefined || found === null || found === '') return undefined;
  if (typeof found === 'string') return found.trim() === '' ? undefined : found.trim();
  if (typeof found === 'number') return String(found);
  throw new PipevineError('invalid-argument', `${what} is a text, not a value of type ${typeof found}.`);
}

/** A property of a message that may be such a text; anything else counts as absent. */
export function messageText(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;
}
