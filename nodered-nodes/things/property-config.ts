import type { ThingField } from './thing-text.ts';

/** What the dialog of a property node saves. */
export interface PropertyConfig extends ThingField {
  readonly mode?: 'read' | 'write' | 'observe';
  readonly property?: string;
  readonly propertyType?: string;
  /** What is written; default `msg.payload`. */
  readonly value?: string;
  readonly valueType?: string;
  /** Of an observation: whether a value like the last one is left out, and how near counts as like. */
  readonly onChange?: boolean;
  readonly deadband?: string | number;
  /** Of an observation: whether a message tells that the value is not up to date any more. */
  readonly tellStale?: boolean;
  /** Of a read or a write, seconds. */
  readonly timeout?: string | number;
}
