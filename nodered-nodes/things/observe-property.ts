import { type PeerGroup, PipevineError, type Reading, type ThingSummary } from '@pipevine/runtime';
import type { NodeContext } from '../node/define-node.ts';
import { affordanceNamed, requiredAffordance } from './affordance.ts';
import { type Deadband, isChanged } from './changed-value.ts';
import { followThing } from './follow-thing.ts';
import type { PropertyConfig } from './property-config.ts';
import { readingMessage } from './reading-message.ts';
import { reportedTrouble } from './reported-trouble.ts';
import { affordanceText, thingText } from './thing-text.ts';

const CATALOGUE = '@pipevine/node-red/pipevine-property:status.';

/** Sends each value of a property, and where wished that it is out of date, until the signal. */
export async function observeProperty(
  context: NodeContext<PropertyConfig>,
  deadband: Deadband | undefined,
  group: PeerGroup,
  signal: AbortSignal,
): Promise<void> {
  const { node, config, status } = context;
  const text = await thingText(context, {});
  const property = await affordanceText(context, config.property, config.propertyType, {}, 'property');
  const trouble = reportedTrouble(context);
  let last: { readonly thing: ThingSummary; readonly reading: Reading; readonly lastSeenMs: number } | undefined;
  let isInterrupted = false;
  let isLost = false;
  let toldStale = false;

  const show = () => {
    if (isLost) status.set('yellow', 'ring', `${CATALOGUE}lost`);
    else if (isInterrupted) status.set('yellow', 'ring', `${CATALOGUE}interrupted`);
    else if (last !== undefined) status.text('green', 'dot', shown(last.reading.value));
    else status.set('green', 'ring', `${CATALOGUE}waiting`);
  };
  const send = (isStale: boolean) => {
    if (last === undefined) return;
    toldStale = isStale;
    node.send(readingMessage(last.thing, property, { ...last, isStale }));
  };
  const tell = () => {
    show();
    const isStale = isInterrupted || isLost;
    if (config.tellStale === true && isStale !== toldStale && isStale) send(true);
  };
  const take = (thing: ThingSummary, reading: Reading) => {
    const before = last?.thing.id === thing.id ? last.reading.value : undefined;
    const isNews = deadband === undefined || isChanged(before, reading.value, deadband);
    const wasStale = toldStale;
    // The value that was sent last is what the next one is compared with, so that a slow drift is seen.
    last = { thing, reading: isNews || last === undefined ? reading : last.reading, lastSeenMs: Date.now() };
    trouble.over();
    show();
    if (isNews || (wasStale && !isLost)) send(isLost);
  };

  await followThing({
    group,
    text,
    signal,
    concern: (thing) => affordanceNamed(thing, 'properties', property) !== undefined,
    onThing: ({ availability }) => {
      const wasLost = isLost;
      isLost = availability === 'lost';
      tell();
      // A device that is back has not said a new value by that.
      if (wasLost && !isLost && toldStale && !isInterrupted) send(false);
    },
    onAbsent: (absence) => {
      isInterrupted = true;
      tell();
      status.set('yellow', 'ring', `${CATALOGUE}${absence}`);
    },
    onTrouble: trouble.report,
    work: async (thing, abort) => {
      requiredAffordance(thing, 'properties', property);
      const consumed = await group.consume(thing);
      try {
        for await (const notice of consumed.observeProperty(property, { signal: abort })) {
          if (notice.type === 'interrupted') isInterrupted = true;
          else isInterrupted = false;
          if (notice.type === 'value') take(thing, notice.reading);
          else tell();
        }
      } finally {
        await consumed.close();
      }
      if (!abort.aborted) throw new PipevineError('unreachable', `The observation of "${thing.title}" has ended.`);
    },
  });
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
