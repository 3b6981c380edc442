import { type ExposedThing, type JsonValue, PipevineError, type Reading } from '@pipevine/runtime';
import { defineNode } from '../node/define-node.ts';
import type { NodeAPI, NodeMessageInFlow } from '../node/red.ts';
import { seconds } from '../node/seconds.ts';
import { allowedRoles, type RolesConfig } from './allowed-roles.ts';
import { type DescriptionConfig, exposedDescription } from './exposed-description.ts';
import { checked, flowHandlers } from './flow-handlers.ts';
import { untilAborted } from './until-aborted.ts';

export interface ExposeConfig extends DescriptionConfig, RolesConfig {
  /** Whether reads are answered with the value that the flow set last, and a value that is written and accepted becomes it. */
  readonly serveLast?: boolean;
  /** For the flow to answer, seconds. */
  readonly timeout?: string | number;
}

/** Who asks waits no longer, unless told to; neither does the runtime. */
const DEFAULT_TIMEOUT_SECONDS = 10;
const MAX_TIMEOUT_SECONDS = 10;
const CATALOGUE = '@pipevine/node-red/pipevine-expose:status.';

export default function pipevineExpose(RED: NodeAPI): void {
  defineNode<ExposeConfig>(RED, 'pipevine-expose', ({ node, config, status }) => {
    const init = exposedDescription(config);
    const roles = allowedRoles(config);
    const timeoutMs = seconds(config.timeout, DEFAULT_TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS) * 1_000;
    const last = new Map<string, Reading>();
    let exposed: ExposedThing | undefined;

    const keep = (name: string, value: JsonValue) => {
      const reading = { value, timestampMs: Date.now() };
      last.set(name, reading);
      exposed?.emitPropertyChange(name, reading);
    };
    const update = (name: string, value: unknown) => {
      keep(name, checked(init.properties?.[name] ?? {}, value, `property "${name}"`));
    };

    return {
      onMessage: async (msg) => {
        if (typeof msg.event === 'string' && msg.event !== '') {
          const name = msg.event;
          const event = own(init.events, name);
          if (event === undefined) throw unknown('event', name, init.events);
          const data = event.data === undefined ? undefined : checked(event.data, msg.payload, `event "${name}"`);
          if (exposed === undefined) {
            throw new PipevineError('unreachable', `"${init.title}" is not exposed now, so nobody hears its events.`);
          }
          exposed.emitEvent(name, data);
          return;
        }
        for (const [name, value] of updatesIn(msg, init)) update(name, value);
      },
      whileMember: async (group, signal) => {
        status.set('yellow', 'ring', `${CATALOGUE}exposing`);
        const handlers = flowHandlers({
          RED,
          init,
          roles,
          timeoutMs,
          signal,
          lastReading: (name) => (config.serveLast === true ? last.get(name) : undefined),
          onWritten: (name, value) => {
            if (config.serveLast === true) keep(name, value);
          },
          send: (msg) => node.send({ ...msg }),
        });
        const thing = await group.expose(init, handlers);
        exposed = thing;
        status.succeeded();
        status.set('green', 'dot', `${CATALOGUE}exposed`);
        await untilAborted(signal);
        exposed = undefined;
        // What was left with the group is gone by itself.
        await thing.destroy().catch(() => {});
      },
    };
  });
}

/** `msg.topic` names the property, alone or behind the title; without it the members of an object do. Throws `invalid-argument`. */
function updatesIn(
  { topic, payload }: NodeMessageInFlow,
  { properties }: { readonly properties?: { readonly [name: string]: unknown } },
): [string, unknown][] {
  if (typeof topic === 'string' && topic !== '') {
    const short = topic.slice(topic.lastIndexOf('/') + 1);
    const name = [topic, short].find((one) => own(properties, one) !== undefined);
    if (name === undefined) throw unknown('property', topic, properties);
    return [[name, payload]];
  }
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) {
    const message = 'Which property the value is of is not said: set msg.topic, or msg.event for an event.';
    throw new PipevineError('invalid-argument', message);
  }
  const updates = Object.entries(payload);
  const stranger = updates.find(([name]) => own(properties, name) === undefined);
  if (stranger !== undefined) throw unknown('property', stranger[0], properties);
  return updates;
}

/** A name like `constructor` must not find what every object inherits. */
function own<T>(all: { readonly [name: string]: T } | undefined, name: string): T | undefined {
  return all !== undefined && Object.hasOwn(all, name) ? all[name] : undefined;
}

function unknown(kind: 'property' | 'event', name: string, all: object | undefined): PipevineError {
  const names = Object.keys(all ?? {})
    .slice(0, 20)
    .join(', ');
  const message = `The thing has no ${kind} "${name.slice(0, 80)}"; it has ${names === '' ? 'none' : names}.`;
  return new PipevineError('invalid-argument', message);
}
