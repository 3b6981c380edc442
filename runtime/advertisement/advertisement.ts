import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';

/** What an advertisement describes. */
export const ADVERTISEMENT_KINDS = [
  'peer',
  'group',
  'pipe',
  'thing',
  'route',
  'name',
  'module',
  'content',
  'delegation',
] as const;
export type AdvertisementKind = (typeof ADVERTISEMENT_KINDS)[number];

/**
 * A signed statement of a peer about something that it offers. Verified: no value of this type exists before its
 * signature was checked. Group, kind, publisher and key name it; of several with one name, the highest sequence counts.
 */
export interface Advertisement {
  readonly kind: AdvertisementKind;
  readonly group: GroupId;
  readonly publisher: PeerId;
  /** Tells apart what one publisher advertises of one kind; often empty. At most 128 bytes of UTF-8. */
  readonly key: string;
  /** Grows with each version; survives restarts of the publisher. */
  readonly sequence: number;
  /** Wall clock of the publisher when it signed, milliseconds since 1970. A hint. */
  readonly issuedAtMs: number;
  /** How long others may keep it, counted from when they got it; 0 withdraws it. */
  readonly expirationMs: number;
  /** For people and for searching; at most 128 bytes of UTF-8. */
  readonly name: string;
  /** What it can be found by besides its name; at most 32 of at most 64 + 256 bytes. */
  readonly attributes: ReadonlyMap<string, string>;
  /** The kind's own content, see its codec; at most 48 KiB. */
  readonly body: Uint8Array;
  /** The COSE_Sign1 (RFC 9052) as it came or goes. */
  readonly encoded: Uint8Array;
}

/** What to look for. All given conditions must hold; `*` in `name` and in attribute values stands for any run of characters. */
export interface AdvertisementQuery {
  readonly kind: AdvertisementKind;
  readonly group: GroupId;
  readonly publisher?: PeerId;
  readonly key?: string;
  readonly name?: string;
  readonly attributes?: Readonly<Record<string, string>>;
  /** At most this many results; default 1,000. */
  readonly limit?: number;
}

/** What a peer says when it publishes; the service adds publisher, sequence and signature. */
export interface AdvertisementInit {
  readonly kind: AdvertisementKind;
  readonly group: GroupId;
  readonly key?: string;
  readonly name?: string;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** How long the publisher keeps it; default 365 days. */
  readonly lifetimeMs?: number;
  /** How long others may keep it; default 2 hours. */
  readonly expirationMs?: number;
}
