import { type ExposedThing, type JsonValue, type PeerGroup, PipevineError } from '@pipevine/runtime';

/** A thing with a property for each thing that can happen. */
export interface TestLamp {
  readonly exposed: ExposedThing;
  /** What was written to `brightness`. */
  readonly writes: readonly JsonValue[];
  readonly invocations: readonly (JsonValue | undefined)[];
  /** Resolves when somebody subscribes to an event; asked before. */
  subscribed(): Promise<void>;
  /** The brightness changes by itself. */
  change(value: JsonValue): void;
  /** Resolves once another observer has heard of this value. */
  observed(value: JsonValue, group: PeerGroup): Promise<void>;
}

export async function exposeLamp(group: PeerGroup, brightness: JsonValue = 10, title = 'Hall lamp'): Promise<TestLamp> {
  let present = { value: brightness, timestampMs: Date.now() };
  const writes: JsonValue[] = [];
  const invocations: (JsonValue | undefined)[] = [];
  const subscribers: (() => void)[] = [];
  const exposed = await group.expose(
    {
      title,
      properties: {
        brightness: { type: 'integer', minimum: 0, maximum: 100, observable: true },
        secret: { type: 'string' },
        slow: { type: 'string' },
      },
      actions: { blink: { input: { type: 'integer' }, output: { type: 'string' } }, ring: {}, jam: {} },
      events: { pressed: { data: { type: 'string' } } },
    },
    {
      readProperty: async (name, { signal }) => {
        if (name === 'secret') throw new PipevineError('refused', 'The secret is for nobody.');
        if (name === 'slow') {
          await new Promise<void>((resolve) => {
            if (signal.aborted) resolve();
            else signal.addEventListener('abort', () => resolve(), { once: true });
          });
        }
        return present;
      },
      writeProperty: async (_, value) => {
        writes.push(value);
        present = { value, timestampMs: Date.now() };
      },
      invokeAction: async (name, input) => {
        invocations.push(input);
        if (name === 'jam') throw new PipevineError('busy', 'The lamp is jammed.');
        return name === 'blink' ? `blinked ${input}` : undefined;
      },
      subscribeEvent: async () => {
        // The subscription is there before the next turn of the event loop.
        for (const told of subscribers.splice(0)) setImmediate(told);
      },
    },
  );
  return {
    exposed,
    writes,
    invocations,
    subscribed: () => new Promise((resolve) => subscribers.push(resolve)),
    change: (value) => {
      present = { value, timestampMs: Date.now() };
      exposed.emitPropertyChange('brightness', present);
    },
    observed: async (value, by) => {
      const consumed = await by.consume(exposed.description.id);
      for await (const notice of consumed.observeProperty('brightness')) {
        if (notice.type === 'value' && notice.reading.value === value) break;
      }
      await consumed.close();
    },
  };
}
