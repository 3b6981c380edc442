import { ADVERTISEMENT_KINDS, type Advertisement, type AdvertisementKind, PipevineError } from '@pipevine/runtime';

/** An advertisement as a flow gets it. */
export interface FoundAdvertisement {
  readonly kind: AdvertisementKind;
  readonly name: string;
  /** Tells apart what one peer advertises of one kind; often empty. */
  readonly key: string;
  /** Who has published it. */
  readonly peer: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly sequence: number;
  /** By the publisher's clock, ISO 8601. */
  readonly issued: string;
  /** The kind's own content; only when it is asked for. */
  readonly body?: Buffer;
}

export function foundAdvertisement(advertisement: Advertisement, withBody: boolean): FoundAdvertisement {
  const { kind, name, key, publisher, attributes, sequence, issuedAtMs, body } = advertisement;
  return {
    kind,
    name,
    key,
    peer: publisher,
    attributes: Object.fromEntries(attributes),
    sequence,
    issued: isoTime(issuedAtMs),
    ...(withBody && { body: Buffer.from(body) }),
  };
}

/** What another clock says may be no date at all. */
export function isoTime(timeMs: number): string {
  const time = new Date(timeMs);
  return Number.isNaN(time.getTime()) ? '' : time.toISOString();
}

export function advertisementKind(value: unknown): AdvertisementKind {
  const found = ADVERTISEMENT_KINDS.find((kind) => kind === value);
  if (found !== undefined) return found;
  throw new PipevineError(
    'invalid-argument',
    `A kind is one of ${ADVERTISEMENT_KINDS.join(', ')}, not "${String(value)}".`,
  );
}
