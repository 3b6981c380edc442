import { type ObservationNotice, PipevineError, type ThingSummary } from '@pipevine/runtime';
import { defineNode } from '../node/define-node.ts';
import type { NodeAPI } from '../node/red.ts';
import { aboutThing } from './about-thing.ts';
import { affordanceNamed, requiredAffordance } from './affordance.ts';
import { followThing } from './follow-thing.ts';
import { reportedTrouble } from './reported-trouble.ts';
import { affordanceText, type ThingField, thingText } from './thing-text.ts';

export interface EventConfig extends ThingField {
  readonly event?: string;
  readonly eventType?: string;
}

const CATALOGUE = '@pipevine/node-red/pipevine-event:status.';

export default function pipevineEvent(RED: NodeAPI): void {
  defineNode<EventConfig>(RED, 'pipevine-event', (context) => {
    const { config, node, status } = context;
    const show = (name: string, isFine: boolean) =>
      status.set(isFine ? 'green' : 'yellow', isFine ? 'dot' : 'ring', `${CATALOGUE}${name}`);
    return {
      whileMember: async (group, signal) => {
        const text = await thingText(context, {});
        const event = await affordanceText(context, config.event, config.eventType, {}, 'event');
        const trouble = reportedTrouble(context);
        let isLost = false;
        let isSubscribed = false;
        const showState = () => {
          if (isLost) show('lost', false);
          else if (isSubscribed) show('subscribed', true);
          else show('interrupted', false);
        };
        await followThing({
          group,
          text,
          signal,
          concern: (thing) => affordanceNamed(thing, 'events', event) !== undefined,
          onThing: ({ availability }) => {
            isLost = availability === 'lost';
            showState();
          },
          onAbsent: (absence) => {
            isSubscribed = false;
            show(absence, false);
          },
          onTrouble: trouble.report,
          work: async (thing, abort) => {
            requiredAffordance(thing, 'events', event);
            const consumed = await group.consume(thing);
            try {
              isSubscribed = true;
              showState();
              for await (const notice of consumed.subscribeEvent(event, { signal: abort })) {
                isSubscribed = notice.type !== 'interrupted';
                if (isSubscribed) trouble.over();
                showState();
                if (notice.type === 'event') node.send(eventMessage(thing, event, notice));
              }
            } finally {
              isSubscribed = false;
              await consumed.close();
            }
            if (!abort.aborted)
              throw new PipevineError('unreachable', `The subscription to "${thing.title}" has ended.`);
          },
        });
      },
    };
  });
}

function eventMessage(
  thing: ThingSummary,
  event: string,
  { data, timestampMs, lost }: Extract<ObservationNotice, { type: 'event' }>,
): Record<string, unknown> {
  return {
    payload: data,
    topic: `${thing.title}/${event}`,
    event,
    thing: aboutThing(thing),
    timestamp: timestampMs,
    // Events that this peer was too slow for, since the one before.
    ...(lost > 0 && { lost }),
  };
}
