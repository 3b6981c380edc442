/** Bounds of the mapping. What lies beyond one is refused and counted, never queued. */
export interface MappingLimits {
  /** Devices at a time: the proxy host is made for 10,000 virtual peers. */
  readonly maxDevices: number;
  /** Entities (components) of one device; large gateways announce about 100. */
  readonly maxEntitiesPerDevice: number;
  readonly maxEntities: number;
  /** Distinct topics to subscribe to, availability included. */
  readonly maxTopics: number;
  /** Bytes of one discovery message; the largest known device bundles have about 30 KiB. */
  readonly maxConfigBytes: number;
  /** Characters of all discovery messages that are kept. */
  readonly maxConfigCharacters: number;
  /** Bytes of a state message; pictures are the largest. */
  readonly maxStateBytes: number;
  /** Config messages whose plans are kept ready; the others are read again when a message comes (about 30 us). */
  readonly maxPlans: number;
  /** Compiled templates that are kept ready. Devices of one model share theirs. */
  readonly maxTemplates: number;
}

export const DEFAULT_MAPPING_LIMITS: MappingLimits = {
  maxDevices: 10_000,
  maxEntitiesPerDevice: 256,
  maxEntities: 100_000,
  maxTopics: 200_000,
  maxConfigBytes: 65_536,
  maxConfigCharacters: 134_217_728,
  maxStateBytes: 262_144,
  maxPlans: 1_024,
  maxTemplates: 2_048,
};
