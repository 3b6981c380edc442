import { PipevineError, type ThingSummary } from '@pipevine/runtime';
import { defineNode } from '../node/define-node.ts';
import type { NodeAPI } from '../node/red.ts';
import { inputText } from '../node/values.ts';
import { aboutThing } from './about-thing.ts';
import { type DirectoryChange, openThingDirectory } from './thing-directory.ts';
import type { ThingField } from './thing-text.ts';
import { titleGlob } from './title-glob.ts';
import { untilAborted } from './until-aborted.ts';

export interface PresenceConfig extends ThingField {
  /** One thing by `thing`, or all that `title` and `connector` let through. */
  readonly scope?: 'one' | 'all';
  readonly title?: string;
  readonly connector?: string;
  /** Whether what is there at the start is told. */
  readonly snapshot?: boolean;
  /** Whether a description that has changed is told. */
  readonly updates?: boolean;
}

type Wanted = (thing: ThingSummary) => boolean;

const CATALOGUE = '@pipevine/node-red/pipevine-presence:status.';

export default function pipevinePresence(RED: NodeAPI): void {
  defineNode<PresenceConfig>(RED, 'pipevine-presence', (context) => {
    const { config, node, status } = context;
    return {
      whileMember: async (group, signal) => {
        const isWanted = config.scope === 'one' ? await oneThing(context) : allThings(config);
        const { directory, release } = openThingDirectory(group);
        const present = new Map<string, ThingSummary>();
        const show = () => {
          const [only] = present.values();
          if (config.scope !== 'one') status.set('green', 'dot', `${CATALOGUE}things`, { count: present.size });
          else if (only !== undefined) {
            const isUp = only.availability === 'up';
            status.set(isUp ? 'green' : 'yellow', isUp ? 'dot' : 'ring', `${CATALOGUE}${only.availability}`);
          } else if (directory.settled) status.set('yellow', 'ring', `${CATALOGUE}gone`);
          else status.set('green', 'ring', `${CATALOGUE}searching`);
        };
        const take = (change: DirectoryChange | undefined) => {
          const told = change && toldAs(change, isWanted(change.thing), present);
          show();
          if (told === undefined || change === undefined) return;
          if (told === 'present' && config.snapshot !== true) return;
          if (told === 'updated' && config.updates !== true) return;
          node.send(presenceMessage(told, change.thing));
        };
        const unfollow = directory.follow(take);
        for (const thing of directory.things) take({ change: 'present', thing });
        show();
        await untilAborted(signal);
        unfollow();
        release();
      },
    };
  });
}

/** A thing that is renamed comes or goes for who looks at its title. */
function toldAs(
  { change, thing }: DirectoryChange,
  isWanted: boolean,
  present: Map<string, ThingSummary>,
): DirectoryChange['change'] | undefined {
  const wasThere = present.has(thing.id);
  if (change === 'removed' || !isWanted) {
    return present.delete(thing.id) ? 'removed' : undefined;
  }
  present.set(thing.id, thing);
  if (wasThere) return change;
  return change === 'present' ? 'present' : 'added';
}

async function oneThing(
  context: Parameters<typeof inputText>[0] & { readonly config: PresenceConfig },
): Promise<Wanted> {
  const { thing = '', thingType } = context.config;
  const text = await inputText(context, thing, thingType, {}, 'A thing');
  if (text === undefined) throw new PipevineError('invalid-argument', 'Which thing is not said: give its title or id.');
  return ({ id, title }) => id === text || title === text;
}

function allThings({ title = '', connector = '' }: PresenceConfig): Wanted {
  const fits = titleGlob(title);
  return (thing) => fits(thing.title) && (connector === '' || thing.connector === connector);
}

function presenceMessage(event: DirectoryChange['change'], thing: ThingSummary): Record<string, unknown> {
  const { connector, availability, description } = thing;
  return {
    payload: event === 'removed' ? 'removed' : availability,
    topic: thing.title,
    event,
    thing: { ...aboutThing(thing), connector, availability },
    description,
  };
}
