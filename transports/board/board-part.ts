import type { ActionAffordance, EventAffordance, JsonValue, PropertyAffordance, WithoutForms } from '@pipevine/runtime';

export interface BoardProperty {
  readonly name: string;
  readonly affordance: WithoutForms<PropertyAffordance>;
  read(): Promise<JsonValue>;
  /** Absent: read-only. */
  write?(value: JsonValue): Promise<void>;
  /** How often to look whether it has changed. Absent: it tells by itself, or is not observable. */
  readonly intervalMs?: number;
  /** Whether observers need to hear of it; default: when it is another value. */
  differs?(before: JsonValue, now: JsonValue): boolean;
}

export interface BoardEvent {
  readonly name: string;
  readonly affordance: WithoutForms<EventAffordance>;
}

export interface BoardAction {
  readonly name: string;
  readonly affordance: WithoutForms<ActionAffordance>;
  /** Whether it takes an administrator of the group. */
  readonly guarded: boolean;
  invoke(): Promise<JsonValue | undefined>;
}

/** What one kind of hardware adds to the board. */
export interface BoardPart {
  readonly properties?: readonly BoardProperty[];
  readonly events?: readonly BoardEvent[];
  readonly actions?: readonly BoardAction[];
  close?(): Promise<void>;
}

/** Whom parts tell what happens by itself. */
export interface BoardOutlets {
  changed(property: string, value: JsonValue): void;
  happened(event: string, data: JsonValue): void;
  /** Something is wrong that a person can mend. */
  warn(text: string): void;
}
