import {
  checkValue,
  type DataSchema,
  type InteractionContext,
  type JsonValue,
  PipevineError,
  type Reading,
  type ThingHandlers,
  type ThingInit,
} from '@pipevine/runtime';
import type { NodeAPI } from '../node/red.ts';
import { type AllowedRoles, checkRoles } from './allowed-roles.ts';
import { coercedValue } from './coerced-value.ts';
import { openInteractions } from './open-interactions.ts';

/** What comes out of the node as `msg.request`. */
export interface FlowRequest {
  /** For the reply node. */
  readonly id: string;
  readonly type: 'read' | 'write' | 'invoke';
  readonly name: string;
  readonly thing: string;
  readonly peer: string;
  readonly roles: readonly string[];
}

export interface FlowHandlersInit {
  readonly RED: NodeAPI;
  readonly init: ThingInit;
  readonly roles: AllowedRoles;
  readonly timeoutMs: number;
  /** Aborted when the thing is exposed no more. */
  readonly signal: AbortSignal;
  /** The last value of a property, when it is to be served without the flow. */
  lastReading(name: string): Reading | undefined;
  /** The flow has taken a value that was written. */
  onWritten(name: string, value: JsonValue): void;
  send(msg: { readonly payload: JsonValue | undefined; readonly topic: string; readonly request: FlowRequest }): void;
}

/** The handlers of a thing that a flow answers for. */
export function flowHandlers(setup: FlowHandlersInit): ThingHandlers {
  const { init, roles, lastReading, onWritten } = setup;
  return {
    readProperty: async (name, context) => {
      checkRoles(context, roles.read, `Reading "${init.title}"`);
      const last = lastReading(name);
      if (last !== undefined) return last;
      const schema = init.properties?.[name] ?? {};
      const accept = (answer: unknown) => checked(schema, answer, `property "${name}"`);
      const value = await ask(setup, 'read', name, undefined, context, accept);
      return { value: value ?? null, timestampMs: Date.now() };
    },
    writeProperty: async (name, value, context) => {
      checkRoles(context, roles.write, `Writing to "${init.title}"`);
      await ask(setup, 'write', name, value, context, () => undefined);
      onWritten(name, value);
    },
    invokeAction: async (name, input, context) => {
      checkRoles(context, roles.invoke, `Invoking actions of "${init.title}"`);
      const output = init.actions?.[name]?.output;
      const what = `the output of action "${name}"`;
      const accept = (answer: unknown) => (output === undefined ? undefined : checked(output, answer, what));
      return ask(setup, 'invoke', name, input, context, accept);
    },
    subscribeEvent: async (name, context) => {
      checkRoles(context, roles.read, `Event "${name}" of "${init.title}"`);
    },
  };
}

/** Throws `invalid-argument`. */
export function checked(schema: DataSchema, value: unknown, what: string): JsonValue {
  if (value === undefined) throw new PipevineError('invalid-argument', `The value of ${what} is missing.`);
  const coerced = coercedValue(schema, value, what);
  checkValue(schema, coerced, what, { patterns: true });
  return coerced;
}

function ask(
  { RED, init, timeoutMs, signal, send }: FlowHandlersInit,
  type: FlowRequest['type'],
  name: string,
  payload: JsonValue | undefined,
  context: InteractionContext,
  accept: (answer: unknown) => JsonValue | undefined,
): Promise<JsonValue | undefined> {
  const { remotePeer: peer, roles } = context;
  const what = `${type} "${name}" of "${init.title}"`;
  const { id, answer } = openInteractions(RED).open({
    peer,
    what,
    timeoutMs,
    signals: [signal, context.signal],
    accept,
  });
  const request: FlowRequest = { id, type, name, thing: init.title, peer, roles };
  send({ payload, topic: `${init.title}/${name}`, request });
  return answer;
}
