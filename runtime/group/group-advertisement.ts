import type { AdvertisementInit } from '../advertisement/advertisement.ts';
import { encodeGroupBody } from '../advertisement/group-body.ts';
import type { GroupId } from '../id/group-id.ts';

/** What the authority of a group publishes of it, inside the group itself. */
export function groupAdvertisementInit(group: { readonly group: GroupId; readonly name: string }): AdvertisementInit {
  return { kind: 'group', group: group.group, name: group.name, body: encodeGroupBody({ admission: 'code' }) };
}
