import type { AdvertisementInit } from '../advertisement/advertisement.ts';
import type { Charter } from './charter.ts';

/** What the authority of a group publishes of it, inside the group itself: the body is the charter as signed. */
export function groupAdvertisementInit({ group, name, encoded }: Charter): AdvertisementInit {
  return { kind: 'group', group, name, body: encoded };
}
