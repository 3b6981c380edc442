import { PipevineError } from '@pipevine/runtime';
import type { Node, NodeAPI, NodeMessage } from '../node/red.ts';
import { inputText } from '../node/values.ts';

/** Which thing: an id or a title, as a typedInput gives it. */
export interface ThingField {
  readonly thing?: string;
  readonly thingType?: string;
}

/** What the field says; where it is empty `msg.thing`, a text or an object with an `id`. Rejects with `invalid-argument`. */
export async function thingText(
  context: { readonly RED: NodeAPI; readonly node: Node; readonly config: ThingField },
  msg: NodeMessage & { readonly thing?: unknown },
): Promise<string> {
  const { thing = '', thingType } = context.config;
  const found = await inputText(context, thing, thingType, msg, 'A thing');
  const given = found ?? idOf(msg.thing);
  if (given !== undefined) return given;
  throw new PipevineError('invalid-argument', 'Which thing is not said: its title or id, in the node or in msg.thing.');
}

/** The name of a property, an action or an event; where the field is empty `msg[kind]`. */
export async function affordanceText(
  context: { readonly RED: NodeAPI; readonly node: Node },
  value: string | undefined,
  type: string | undefined,
  msg: NodeMessage,
  kind: 'property' | 'action' | 'event',
): Promise<string> {
  const found = await inputText(context, value ?? '', type, msg, `The name of the ${kind}`);
  // A message carries what the flow has put there.
  const inMessage = (msg as Readonly<Record<string, unknown>>)[kind];
  const given = found ?? (typeof inMessage === 'string' && inMessage !== '' ? inMessage : undefined);
  if (given !== undefined) return given;
  throw new PipevineError('invalid-argument', `Which ${kind} is not said, in the node or in msg.${kind}.`);
}

function idOf(thing: unknown): string | undefined {
  if (typeof thing === 'string') return thing.trim() === '' ? undefined : thing.trim();
  if (typeof thing !== 'object' || thing === null || !('id' in thing)) return undefined;
  return typeof thing.id === 'string' ? thing.id : undefined;
}
