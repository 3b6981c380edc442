import type { JsonValue, PipevineError } from '@pipevine/runtime';
import { defineNode } from '../node/define-node.ts';
import { deliveredFailure, pipevineFailure } from '../node/pipevine-failure.ts';
import type { NodeAPI } from '../node/red.ts';
import { seconds } from '../node/seconds.ts';
import { aboutThing } from './about-thing.ts';
import { requiredAffordance } from './affordance.ts';
import { coercedValue } from './coerced-value.ts';
import { givenValue } from './given-value.ts';
import { openThingDirectory } from './thing-directory.ts';
import { affordanceText, type ThingField, thingText } from './thing-text.ts';
import { untilAborted } from './until-aborted.ts';
import { withThing } from './with-thing.ts';

export interface ActionConfig extends ThingField {
  readonly action?: string;
  readonly actionType?: string;
  /** Default `msg.payload`. Not looked at for an action that takes none. */
  readonly input?: string;
  readonly inputType?: string;
  /** Seconds. */
  readonly timeout?: string | number;
}

const DEFAULT_TIMEOUT_SECONDS = 10;
const MAX_TIMEOUT_SECONDS = 600;

export default function pipevineAction(RED: NodeAPI): void {
  defineNode<ActionConfig>(
    RED,
    'pipevine-action',
    (context) => {
      const { config, peer } = context;
      const timeoutMs = seconds(config.timeout, DEFAULT_TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS) * 1_000;
      return {
        onMessage: async (msg, send, signal) => {
          const text = await thingText(context, msg);
          const action = await affordanceText(context, config.action, config.actionType, msg, 'action');
          const given = await givenValue(context, config.input, config.inputType, msg);
          await withThing(peer, text, { signal, timeoutMs }, async ({ thing, summary, wait }) => {
            const { input } = requiredAffordance(summary, 'actions', action);
            const what = `the input of action "${action}"`;
            const value = input === undefined || given === undefined ? undefined : coercedValue(input, given, what);
            const begunMs = performance.now();
            let output: JsonValue | undefined;
            try {
              output = await thing.invokeAction(action, value, wait());
            } catch (cause) {
              throw notInvoked(pipevineFailure(cause), performance.now() - begunMs);
            }
            const about = { topic: `${summary.title}/${action}`, action, thing: aboutThing(summary) };
            send(Object.assign(msg, about, output !== undefined && { payload: output }));
          });
        },
        // What is in the group is known before the first message.
        whileMember: async (group, signal) => {
          const { release } = openThingDirectory(group);
          await untilAborted(signal);
          release();
        },
      };
    },
    { delivers: true },
  );
}

/** To find that nobody is there takes no longer; after it a pipe was open, and broke. */
const CONNECT_MS = 10_000;

/** An action that may have been carried out is not invoked again by the offline policy. */
function notInvoked(error: PipevineError, tookMs: number): PipevineError {
  return error.code === 'unreachable' && tookMs > CONNECT_MS ? deliveredFailure(error) : error;
}
