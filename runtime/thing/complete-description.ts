import { PipevineError } from '../error/pipevine-error.ts';
import { base32Encode } from '../id/base32.ts';
import { peerIdToBytes } from '../id/peer-id.ts';
import type { Form, JsonValue, ThingDescription, ThingInit } from './thing-description.ts';
import { readThingDescription } from './thing-description-check.ts';
import { type ThingName, thingId } from './thing-id.ts';

/** TD 1.1, section 5.3.1.1: the context of version 1.1, and the prefix of what connectors say beyond it. */
const CONTEXT = ['https://www.w3.org/2022/wot/td/v1.1', { pipevine: 'urn:pipevine:vocabulary:' }];
const CONTENT_TYPE = 'application/cbor';

/**
 * The Thing Description 1.1 of what somebody exposes: context, id, base, security and forms filled in. Security is the
 * scheme `auto`: the pipe proves who speaks and the group's credential what they may (TD 1.1, section 5.3.3.2). Throws
 * `invalid-argument` when the result would not be a Thing Description.
 */
export function completeDescription(init: ThingInit, name: ThingName): ThingDescription {
  const description = {
    '@context': CONTEXT,
    id: thingId(name),
    base: `pipevine://${base32Encode(peerIdToBytes(name.peer))}/${encodeURIComponent(name.key)}/`,
    ...init,
    security: 'pipevine_sc',
    securityDefinitions: { pipevine_sc: { scheme: 'auto' } },
    ...(init.properties && {
      properties: withForms(init.properties, (affordance, at) => {
        const op = [];
        if (affordance.writeOnly !== true) op.push('readproperty');
        if (affordance.readOnly !== true) op.push('writeproperty');
        if (affordance.observable === true) op.push('observeproperty', 'unobserveproperty');
        return { href: `properties/${at}`, op };
      }),
    }),
    ...(init.actions && {
      actions: withForms(init.actions, (_, at) => ({ href: `actions/${at}`, op: ['invokeaction'] })),
    }),
    ...(init.events && {
      events: withForms(init.events, (_, at) => ({ href: `events/${at}`, op: ['subscribeevent', 'unsubscribeevent'] })),
    }),
  };
  try {
    // A ThingInit is JSON by its type; the check proves the rest.
    return readThingDescription(description as unknown as JsonValue);
  } catch (error) {
    if (!(error instanceof PipevineError)) throw error;
    throw new PipevineError(
      'invalid-argument',
      `The thing "${String(init.title)}" cannot be exposed: ${error.message}`,
    );
  }
}

function withForms<T>(
  affordances: { readonly [name: string]: T },
  formOf: (affordance: T, at: string) => Form,
): { [name: string]: T & { forms: Form[] } } {
  return Object.fromEntries(
    Object.entries(affordances).map(([name, affordance]) => [
      name,
      { ...affordance, forms: [{ contentType: CONTENT_TYPE, ...formOf(affordance, encodeURIComponent(name)) }] },
    ]),
  );
}
