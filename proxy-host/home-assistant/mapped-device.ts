import type { JsonValue } from '@pipevine/runtime';
import type { Availability } from '../connector.ts';
import type { AvailabilityRule } from './availability.ts';
import type { Deadline } from './deadline-queue.ts';
import { type KeptConfig, keepConfig } from './discovery-config.ts';
import { shortDigest } from './naming.ts';

/** One discovery message that is in force. Its text is kept and its plans are made from it again when needed. */
export class ConfigSource {
  readonly topic: string;
  /** Of the message as it came: tells whether another says the same. */
  readonly digest: number;
  readonly characters: number;
  readonly text: KeptConfig;
  entities: Entity[] | undefined;
  /** The publisher said that it moves these entities: another topic may take their unique ids. */
  isMigrating = false;

  constructor(topic: string, payload: string) {
    this.topic = topic;
    this.digest = digestOf(payload);
    this.characters = payload.length;
    this.text = keepConfig(payload);
  }

  says(payload: string): boolean {
    return payload.length === this.characters && digestOf(payload) === this.digest;
  }
}

/** 52 bits, so that it stays a safe integer. */
function digestOf(payload: string): number {
  return Number.parseInt(shortDigest(payload) + shortDigest(`~${payload}`).slice(0, 5), 16);
}

/** One component of a device. There may be 100,000: only what cannot be made again from the source is kept. */
export class Entity {
  readonly source: ConfigSource;
  /** Place of its plan among those of the source. */
  readonly position: number;
  readonly identity: string;
  readonly device: Device;
  readonly rule: AvailabilityRule | undefined;
  /** What its affordances' names begin with, once the device has been described; undefined where it was left out. */
  name: string | undefined;
  timers: ValueTimer[] | undefined;

  constructor(
    source: ConfigSource,
    position: number,
    identity: string,
    device: Device,
    rule: AvailabilityRule | undefined,
  ) {
    this.source = source;
    this.position = position;
    this.identity = identity;
    this.device = device;
    this.rule = rule;
  }
}

/** A value that a role takes when its time comes. */
export class ValueTimer implements Deadline {
  readonly kind = 'value';
  readonly slot: 'expire' | 'off';
  readonly role: string;
  entity: Entity;
  value: JsonValue | undefined;
  atMs: number | undefined;
  queuedMs: number | undefined;

  constructor(entity: Entity, slot: 'expire' | 'off', role: string) {
    this.entity = entity;
    this.slot = slot;
    this.role = role;
  }
}

/** `describe`: changes have settled. `silence`: nothing has told in time whether the device is there. */
export class DeviceTimer implements Deadline {
  readonly kind: 'describe' | 'silence';
  readonly device: Device;
  atMs: number | undefined;
  queuedMs: number | undefined;

  constructor(kind: 'describe' | 'silence', device: Device) {
    this.kind = kind;
    this.device = device;
  }
}

const NONE: Entity[] = [];

export class Device {
  readonly key: string;
  entities: Entity[] = NONE;
  /** Topics to subscribe to, when the device is described next, so that kept messages come after the description. */
  pendingTopics: Set<string> | undefined;
  describe: DeviceTimer | undefined;
  silence: DeviceTimer | undefined;
  isDescribed = false;
  availability: Availability | undefined;

  constructor(key: string) {
    this.key = key;
  }
}
