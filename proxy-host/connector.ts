import type { JsonValue, ThingInit } from '@pipevine/runtime';

/** Whether a device can be talked to: `sleeping` devices wake by themselves, `lost` ones may be gone for good. */
export type Availability = 'up' | 'sleeping' | 'lost';

/** A device as its connector knows it. */
export interface DeviceDescription {
  /** Names the device within its connector, the same after every restart. At most 256 characters. */
  readonly key: string;
  /** Properties, actions and events, without forms; names are `[a-zA-Z0-9_-]+`. */
  readonly thing: ThingInit;
  /** Key of the device behind which this one is reached. */
  readonly via?: string;
}

/** What a connector tells the proxy host. None of these throws, and none waits. */
export interface ConnectorHost {
  /** A device came, or its description changed. */
  deviceAdded(device: DeviceDescription): void;
  /** A device is gone for good: its peer leaves the overlay. */
  deviceRemoved(key: string): void;
  /** The device's property has this value now. `undefined`: its value is not known any more. */
  valueChanged(key: string, property: string, value: JsonValue | undefined): void;
  eventEmitted(key: string, event: string, data: JsonValue | undefined): void;
  availabilityChanged(key: string, availability: Availability): void;
}

export interface ConnectorCallOptions {
  readonly signal?: AbortSignal;
}

/**
 * Brings devices of one kind to the proxy host. `write` and `invoke` resolve when the device's side has taken
 * responsibility (for MQTT: the broker acknowledged) and reject with a PipevineError otherwise.
 */
export interface Connector {
  /** For example `mqtt`: part of each device's key derivation, so it must never change. */
  readonly name: string;
  start(host: ConnectorHost): Promise<void>;
  /** One line of facts for `status`: counters, bounds, the state of the connection. */
  status(): { readonly [name: string]: JsonValue };
  write(key: string, property: string, value: JsonValue, options?: ConnectorCallOptions): Promise<void>;
  invoke(
    key: string,
    action: string,
    input: JsonValue | undefined,
    options?: ConnectorCallOptions,
  ): Promise<JsonValue | undefined>;
  close(): Promise<void>;
}
