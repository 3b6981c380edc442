const DAY_MS = 24 * 60 * 60 * 1000;

/** Devices that one proxy host stands in for: what 256 MB carry with room to spare. */
export const MAX_DEVICES = 10_000;
/** Virtual peers whose keys are kept ready; deriving them anew costs about 0.2 ms. About 1 KB each. */
export const MAX_AWAKE_IDENTITIES = 256;
/** Properties whose last value is kept, of one device. */
export const MAX_VALUES_PER_DEVICE = 256;
/** Changes of a device's description or availability within this time become one advertisement, ms. */
export const PUBLISH_DELAY_MS = 100;
/** Devices that are published before the loop gets its turn: about 5 ms of signing. */
export const PUBLISH_BATCH = 32;
/** Pause after a publication failed (a full disk), ms. */
export const PUBLISH_RETRY_MS = 5_000;
/** How long a virtual peer lets its host speak for it, ms; renewed when half of it is left. */
export const DELEGATION_LIFETIME_MS = 7 * DAY_MS;
/** How often delegations are looked through for renewal, ms. */
export const DELEGATION_SWEEP_MS = DAY_MS / 4;
/** A device that its connector has not named again this long after a start counts as lost, ms. */
export const SILENT_DEVICE_GRACE_MS = 10 * 60 * 1000;
/** Deadline of a write or an action at the connector, ms. */
export const CONNECTOR_CALL_TIMEOUT_MS = 8_000;
/** Longest key of a device, UTF-16 units. */
export const MAX_DEVICE_KEY = 256;
