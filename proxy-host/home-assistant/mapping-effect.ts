import type { JsonValue } from '@pipevine/runtime';
import type { Availability, DeviceDescription } from '../connector.ts';
import type { RejectionReason } from './rejection.ts';

export interface Subscription {
  readonly topic: string;
  readonly qos: 0 | 1 | 2;
}

/** What the connector has to do, in this order. */
export type MappingEffect =
  /** Subscribe, also where that was done before: the broker then sends its kept messages again. */
  | { readonly kind: 'subscribe'; readonly subscriptions: readonly Subscription[] }
  | { readonly kind: 'unsubscribe'; readonly topics: readonly string[] }
  /** The device is new, or its description changed. */
  | { readonly kind: 'device'; readonly device: DeviceDescription }
  | { readonly kind: 'device-removed'; readonly key: string }
  | { readonly kind: 'value'; readonly key: string; readonly property: string; readonly value: JsonValue | undefined }
  | { readonly kind: 'event'; readonly key: string; readonly event: string; readonly data: JsonValue | undefined }
  | { readonly kind: 'availability'; readonly key: string; readonly availability: Availability }
  /** Counted already; for the log. `detail` says what was expected and what came. */
  | { readonly kind: 'rejected'; readonly reason: RejectionReason; readonly topic: string; readonly detail: string }
  /** A component that is shown raw; for the log. */
  | { readonly kind: 'unknown-component'; readonly component: string; readonly topic: string; readonly key: string };
