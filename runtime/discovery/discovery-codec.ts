/**
 * The discovery protocol: a query to the resolver handler `discovery` of a neighbour in the group; the answer is a
 * sequence of items. Canonical CBOR (docs/protocol/discovery.cddl).
 *
 * Query, a map with integer keys:
 *
 * | key | member      | value                                                                        |
 * |-----|-------------|------------------------------------------------------------------------------|
 * |   1 | kind        | as in advertisements                                                         |
 * |   2 | publisher   | 32 bytes; absent for any                                                     |
 * |   3 | key         | text; absent for any                                                         |
 * |   4 | name        | text with `*`; absent for any                                                |
 * |   5 | attributes  | map of text to text with `*`; absent for any                                 |
 * |   6 | limit       | most results                                                                 |
 * |   7 | watch       | true: changes follow the present set until the asker cancels; absent for no  |
 * |   8 | proofs      | true: what proves the right of a result's publisher precedes it, once       |
 * |   9 | walk        | true: a rendezvous asks the other rendezvous besides                        |
 *
 * Item, an array: `[0, [+ advertisement]]`, withdrawals among them, or `[1, complete]` once, after the present set: whether
 * the limit left nothing out.
 */
import { ADVERTISEMENT_KINDS, type AdvertisementQuery } from '../advertisement/advertisement.ts';
import { MAX_ADVERTISEMENT_BYTES, MAX_ATTRIBUTES } from '../advertisement/advertisement-defaults.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { peerIdFromBytes, peerIdToBytes } from '../id/peer-id.ts';
import { decodeStrict } from '../wire/decode.ts';
import { type CborInput, encodeCanonical } from '../wire/encode.ts';
import { readArray, readBoolean, readBytes, readInteger, readMap, readText } from '../wire/shape.ts';
import { MAX_QUERY_BYTES, MAX_RESULTS } from './discovery-defaults.ts';

const QUERY = 'A discovery query';
const ITEM = 'An item of a discovery answer';
const MAX_PATTERN_BYTES = 1_024;

/** A query as a neighbour is asked it; its group is that of the resolver. */
export interface NeighbourQuery extends Omit<AdvertisementQuery, 'group' | 'limit'> {
  readonly limit: number;
  readonly watch: boolean;
  readonly proofs: boolean;
  readonly walk: boolean;
}

export type DiscoveryItem =
  | { readonly type: 'advertisements'; readonly encoded: readonly Uint8Array[] }
  | { readonly type: 'end'; readonly complete: boolean };

export function encodeQuery(query: NeighbourQuery): Uint8Array {
  const attributes = Object.entries(query.attributes ?? {});
  return encodeCanonical(
    new Map<number, CborInput | undefined>([
      [1, ADVERTISEMENT_KINDS.indexOf(query.kind)],
      [2, query.publisher && peerIdToBytes(query.publisher)],
      [3, query.key],
      [4, query.name],
      [5, attributes.length === 0 ? undefined : new Map(attributes)],
      [6, query.limit],
      [7, query.watch ? true : undefined],
      [8, query.proofs ? true : undefined],
      [9, query.walk ? true : undefined],
    ]),
  );
}

/** Throws `malformed`, `too-large`, or `unsupported` for a kind of a later version. */
export function decodeQuery(bytes: Uint8Array): NeighbourQuery {
  const reader = readMap(decodeStrict(bytes, { maxBytes: MAX_QUERY_BYTES }), QUERY);
  const code = reader.integer(1, 'kind');
  const kind = ADVERTISEMENT_KINDS[code];
  if (kind === undefined) throw new PipevineError('unsupported', `Advertisements of kind ${code} are unknown here.`);
  const publisher = reader.optionalBytes(2, 'publisher', { length: 32 });
  const key = reader.optionalText(3, 'key', { maxBytes: MAX_PATTERN_BYTES });
  const name = reader.optionalText(4, 'name', { maxBytes: MAX_PATTERN_BYTES });
  const attributes = [...(reader.optionalChild(5, 'attributes')?.map ?? [])].map(([attribute, pattern]) => {
    const what = `${QUERY}: an attribute`;
    return [
      readText(typeof attribute === 'string' ? attribute : null, what, { maxBytes: MAX_PATTERN_BYTES }),
      readText(pattern, what, { maxBytes: MAX_PATTERN_BYTES }),
    ] as const;
  });
  if (attributes.length > MAX_ATTRIBUTES) {
    throw new PipevineError('malformed', `${QUERY} may name ${MAX_ATTRIBUTES} attributes, not ${attributes.length}.`);
  }
  return {
    kind,
    limit: Math.min(reader.integer(6, 'limit', { min: 1 }), MAX_RESULTS),
    watch: reader.optionalBoolean(7, 'watch') ?? false,
    proofs: reader.optionalBoolean(8, 'proofs') ?? false,
    walk: reader.optionalBoolean(9, 'walk') ?? false,
    ...(publisher && { publisher: peerIdFromBytes(publisher) }),
    ...(key !== undefined && { key }),
    ...(name !== undefined && { name }),
    ...(attributes.length > 0 && { attributes: Object.fromEntries(attributes) }),
  };
}

export function encodeItem(item: DiscoveryItem): Uint8Array {
  return encodeCanonical(item.type === 'end' ? [1, item.complete] : [0, item.encoded]);
}

/** Throws `malformed` or `too-large`. The advertisements in it are not yet looked at. */
export function decodeItem(bytes: Uint8Array): DiscoveryItem {
  const members = readArray(decodeStrict(bytes), ITEM, { minLength: 2, maxLength: 8 });
  if (readInteger(members[0], `${ITEM}: type`, { max: 1 }) === 1) {
    return { type: 'end', complete: readBoolean(members[1], `${ITEM}: complete`) };
  }
  const encoded = readArray(members[1], `${ITEM}: advertisements`, { minLength: 1 }).map((one) =>
    readBytes(one, `${ITEM}: advertisement`, { maxLength: MAX_ADVERTISEMENT_BYTES }),
  );
  return { type: 'advertisements', encoded };
}
