/**
 * The `thing` advertisement: key is the thing's key at its peer, name its title, body the Thing Description as JSON, and
 * these attributes to find it by: `connector` (absent for a thing that a peer exposes itself), `availability`, `type`
 * (the first `@type`).
 */
import type { Advertisement, AdvertisementInit } from '../advertisement/advertisement.ts';
import { MAX_ADVERTISED_NAME_BYTES, MAX_ATTRIBUTE_VALUE_BYTES } from '../advertisement/advertisement-defaults.ts';
import { decodeThingBody, encodeThingBody } from '../advertisement/thing-body.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { ThingSummary } from './thing.ts';
import type { JsonValue, ThingDescription } from './thing-description.ts';
import { readThingDescription } from './thing-description-check.ts';
import { thingId } from './thing-id.ts';

export interface ThingAdvertisementInit {
  readonly group: GroupId;
  readonly key: string;
  readonly description: ThingDescription;
  readonly availability: ThingSummary['availability'];
  /** Empty for a thing that a peer exposes itself. */
  readonly connector: string;
}

const AVAILABILITIES = ['up', 'sleeping', 'lost'] as const;

/** What to publish for a thing. Throws `too-large` when its description does not fit an advertisement. */
export function thingAdvertisementInit(init: ThingAdvertisementInit): AdvertisementInit {
  const { description } = init;
  const type = [description['@type'] ?? []].flat()[0];
  return {
    kind: 'thing',
    group: init.group,
    key: init.key,
    name: shortened(description.title, MAX_ADVERTISED_NAME_BYTES),
    attributes: {
      availability: init.availability,
      ...(init.connector !== '' && { connector: init.connector }),
      ...(type && { type: shortened(type, MAX_ATTRIBUTE_VALUE_BYTES) }),
    },
    // A description is JSON; its type only lacks the index signature.
    body: encodeThingBody(description as unknown as JsonValue),
  };
}

/**
 * What a verified `thing` advertisement says. `hostOf` gives the peer that a delegation names. Throws `malformed` when the
 * body is no Thing Description, or one of another thing than the advertisement's.
 */
export function thingSummaryOf(
  advertisement: Advertisement,
  hostOf: (peer: PeerId) => PeerId | undefined,
): ThingSummary {
  const { publisher, key, group, attributes } = advertisement;
  const description = readThingDescription(decodeThingBody(advertisement.body));
  const id = thingId({ peer: publisher, key });
  if (description.id !== id) {
    throw new PipevineError(
      'malformed',
      `A thing advertisement carries the description of ${description.id.slice(0, 120)} instead of ${id}.`,
    );
  }
  const availability = AVAILABILITIES.find((one) => one === attributes.get('availability')) ?? 'up';
  return {
    id,
    title: description.title,
    peer: publisher,
    host: hostOf(publisher) ?? publisher,
    group,
    connector: attributes.get('connector') ?? '',
    availability,
    description,
  };
}

/** The longest start of the text that fits; the whole is in the description. */
function shortened(text: string, maxBytes: number): string {
  const encoder = new TextEncoder();
  const characters = [...text.toWellFormed()].slice(0, maxBytes);
  while (encoder.encode(characters.join('')).length > maxBytes) characters.pop();
  return characters.join('');
}
