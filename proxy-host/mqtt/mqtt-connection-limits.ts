const KIB = 1024;
const MIB = 1024 * KIB;

export interface MqttConnectionLimits {
  /** A message with a larger payload is dropped and counted, before it has been buffered. */
  readonly maxPayloadBytes: number;
  readonly maxFilters: number;
  /** Filters of one SUBSCRIBE. The next is sent when the broker has answered, so that thousands do not flood it. */
  readonly batchFilters: number;
  readonly maxInFlight: number;
  readonly maxInFlightBytes: number;
  readonly connectTimeoutMs: number;
  /** Until the broker has acknowledged a publish or answered a subscription. */
  readonly answerTimeoutMs: number;
  readonly keepAliveSeconds: number;
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
  /** A connection that lived this long starts the backoff anew. */
  readonly stableMs: number;
}

export const MQTT_CONNECTION_DEFAULTS: MqttConnectionLimits = {
  maxPayloadBytes: 256 * KIB, // descriptions of large devices take 64 KiB, a camera still 100 to 200
  maxFilters: 250_000, // 10,000 devices with 20 topics each, and room; about 100 bytes a filter
  batchFilters: 200, // about 10 KiB a packet
  maxInFlight: 1_000,
  maxInFlightBytes: 8 * MIB,
  connectTimeoutMs: 15_000,
  answerTimeoutMs: 10_000,
  keepAliveSeconds: 20, // a broker that is gone without a word is noticed within 30 s
  minBackoffMs: 1_000,
  maxBackoffMs: 30_000,
  stableMs: 10_000,
};
