/** Why a message had no effect, or not all of it. Each reason has a counter. */
export const REJECTION_REASONS = [
  /** Discovery: larger than a discovery message may be. */
  'config-too-large',
  /** Discovery: not JSON, not an object, nested too deep, or without a part that it needs. */
  'malformed-config',
  /** Discovery: a key has a value of the wrong type or out of its range. */
  'invalid-value',
  /** Discovery: a topic that MQTT does not allow, or that leads out of the device. */
  'invalid-topic',
  /** Discovery: a template that cannot be read. */
  'invalid-template',
  /** Discovery: another config topic has the unique id already. */
  'duplicate-unique-id',
  /** Discovery: names that no qualification keeps apart. */
  'duplicate-name',
  /** A bound of MappingLimits. */
  'too-many-devices',
  'too-many-entities',
  'too-many-topics',
  'too-many-configs',
  /** State: larger than a state message may be. */
  'state-too-large',
  /** State: a template that failed on this message. */
  'template-failed',
  /** State: a value that is none of what the property can have; its value is unknown from now on. */
  'state-misfit',
] as const;

export type RejectionReason = (typeof REJECTION_REASONS)[number];

/** Thrown while a discovery message is read, and caught by the mapping: never leaves the folder. */
export class ConfigFault extends Error {
  readonly reason: RejectionReason;

  constructor(reason: RejectionReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** A foreign text in a message: cut, and without control characters. */
export function quoted(text: string): string {
  const flat = text.replace(/[\p{Cc}\p{Cf}]/gu, '?');
  return JSON.stringify(flat.length > 80 ? `${flat.slice(0, 77)}...` : flat);
}
