import { PipevineError } from '@pipevine/runtime';
import { defineNode, type NodeContext } from '../node/define-node.ts';
import { isUndelivered, pipevineFailure } from '../node/pipevine-failure.ts';
import type { NodeAPI, NodeMessageInFlow } from '../node/red.ts';
import { seconds } from '../node/seconds.ts';
import type { PeerConfigNode } from '../peer/overlay-session.ts';
import { aboutThing } from './about-thing.ts';
import { requiredAffordance } from './affordance.ts';
import { readDeadband } from './changed-value.ts';
import { coercedValue } from './coerced-value.ts';
import { givenValue } from './given-value.ts';
import { observeProperty } from './observe-property.ts';
import type { PropertyConfig } from './property-config.ts';
import { readingMessage } from './reading-message.ts';
import { openThingDirectory } from './thing-directory.ts';
import { affordanceText, thingText } from './thing-text.ts';
import { untilAborted } from './until-aborted.ts';
import { type ThingUse, withThing } from './with-thing.ts';

/** Whether the peer is in reach, so that it is the device that does not answer. */
const PROBE_TIMEOUT_MS = 2_000;

const DEFAULT_TIMEOUT_SECONDS = 10;
const MAX_TIMEOUT_SECONDS = 600;

export default function pipevineProperty(RED: NodeAPI): void {
  defineNode<PropertyConfig>(
    RED,
    'pipevine-property',
    (context) => {
      const { config } = context;
      const { mode = 'read' } = config;
      const timeoutMs = seconds(config.timeout, DEFAULT_TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS) * 1_000;
      if (mode === 'observe') {
        const deadband = config.onChange === true ? readDeadband(config.deadband) : undefined;
        return { whileMember: (group, signal) => observeProperty(context, deadband, group, signal) };
      }
      if (mode !== 'read' && mode !== 'write') {
        throw new PipevineError('invalid-argument', `The mode is read, write or observe; not "${String(mode)}".`);
      }
      return {
        onMessage: async (msg, send, signal) => {
          const text = await thingText(context, msg);
          const property = await affordanceText(context, config.property, config.propertyType, msg, 'property');
          const wait = { signal, timeoutMs };
          if (mode === 'read') {
            await withThing(context.peer, text, wait, (use) => read(use, property, msg, send));
          } else await write(context, text, property, msg, send, wait);
        },
        // What is in the group is known before the first message.
        whileMember: async (group, signal) => {
          const { release } = openThingDirectory(group);
          await untilAborted(signal);
          release();
        },
      };
    },
    {
      delivers: ({ mode }) => mode === 'write',
      // A value that is written later stays later.
      inWork: ({ mode }) => (mode === 'write' ? 1 : 64),
    },
  );
}

type Send = (msg: Record<string, unknown>) => void;

async function read(use: ThingUse, property: string, msg: NodeMessageInFlow, send: Send): Promise<void> {
  const { thing, summary, wait } = use;
  requiredAffordance(summary, 'properties', property);
  const reading = await thing.readProperty(property, wait());
  const lastSeenMs = summary.availability === 'up' ? Date.now() : reading.timestampMs;
  const isStale = summary.availability === 'lost';
  send(Object.assign(msg, readingMessage(summary, property, { reading, lastSeenMs, isStale })));
}

async function write(
  context: NodeContext<PropertyConfig>,
  text: string,
  property: string,
  msg: NodeMessageInFlow,
  send: Send,
  wait: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<void> {
  const { config, peer } = context;
  const given = await givenValue(context, config.value, config.valueType, msg);
  await withThing(peer, text, wait, async (use) => {
    const affordance = requiredAffordance(use.summary, 'properties', property);
    const value = coercedValue(affordance, given, `property "${property}"`);
    try {
      await use.thing.writeProperty(property, value, use.wait());
    } catch (cause) {
      throw await notWritten(pipevineFailure(cause), peer, use);
    }
    const topic = `${use.summary.title}/${property}`;
    send(Object.assign(msg, { payload: value, topic, property, thing: aboutThing(use.summary) }));
  });
}

/**
 * A way that broke, or gave no answer, leaves open whether the value has come. To write it again does no harm, so where messages
 * are kept or dropped it counts as not delivered; unless the peer answers, and it is its device that does not.
 */
async function notWritten(
  error: PipevineError,
  peer: PeerConfigNode | undefined,
  use: ThingUse,
): Promise<PipevineError> {
  const policy = peer?.offline.policy ?? 'error';
  if (policy === 'error' || isUndelivered(error)) return error;
  if (error.code !== 'closed' && error.code !== 'timeout') return error;
  const lost = new PipevineError('unreachable', error.message, { cause: error });
  if (error.code === 'closed') return lost;
  try {
    await peer?.session.group?.peerInfo(use.summary.host, { timeoutMs: PROBE_TIMEOUT_MS });
    return error;
  } catch (cause) {
    // Whoever refuses to tell is there.
    const { code } = pipevineFailure(cause);
    return code === 'refused' || code === 'unsupported' ? error : lost;
  }
}
