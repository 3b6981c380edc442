import type { PipevineError } from '../error/pipevine-error.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { WaitOptions } from '../pipe/pipe.ts';
import type { JsonValue, ThingDescription } from './thing-description.ts';

/** A value and when the device's side had it, milliseconds since 1970 by that side's clock. */
export interface Reading {
  readonly value: JsonValue;
  readonly timestampMs: number;
}

/** Who asks. */
export interface InteractionContext {
  readonly remotePeer: PeerId;
  readonly roles: readonly string[];
  readonly signal: AbortSignal;
}

/**
 * The handlers of a thing, after the WoT Scripting API's ExposedThing. Each rejects with a PipevineError to refuse. An asker
 * whose read is refused with the code `refused` may not observe either.
 */
export interface ThingHandlers {
  readProperty(name: string, context: InteractionContext): Promise<Reading>;
  writeProperty(name: string, value: JsonValue, context: InteractionContext): Promise<void>;
  invokeAction(name: string, input: JsonValue | undefined, context: InteractionContext): Promise<JsonValue | undefined>;
  /** Whether the asker may subscribe: rejects with a PipevineError to refuse. Absent: every member that may in the group. */
  subscribeEvent?(name: string, context: InteractionContext): Promise<void>;
}

/** A thing that this process offers. */
export interface ExposedThing {
  readonly description: ThingDescription;
  /** Tells the observers of a property. Of values that a slow observer has not taken yet, it gets the newest. */
  emitPropertyChange(name: string, reading: Reading): void;
  /** Tells the subscribers of an event. A slow subscriber loses the oldest beyond 64, and is told how many. */
  emitEvent(name: string, data: JsonValue | undefined): void;
  /** Ends observations and withdraws the advertisement. Idempotent. */
  destroy(): Promise<void>;
}

/** Which things to list. */
export interface ThingFilter {
  /** `*` stands for any run of characters. */
  readonly title?: string;
  readonly connector?: string;
}

/** A thing of the group as discovery found it. */
export interface ThingSummary {
  readonly id: string;
  readonly title: string;
  readonly peer: PeerId;
  /** The peer that speaks for it, itself when it is none of the hosted. */
  readonly host: PeerId;
  readonly group: GroupId;
  /** For example `mqtt`; empty for a thing that a peer exposes itself. */
  readonly connector: string;
  readonly availability: 'up' | 'sleeping' | 'lost';
  readonly description: ThingDescription;
}

/** A notice of a running observation or subscription. */
export type ObservationNotice =
  | { readonly type: 'value'; readonly reading: Reading }
  | {
      readonly type: 'event';
      readonly data: JsonValue | undefined;
      readonly timestampMs: number;
      readonly lost: number;
    }
  /** The way to the thing broke; it is being restored, and the observation goes on by itself. */
  | { readonly type: 'interrupted'; readonly error: PipevineError }
  | { readonly type: 'resumed' };

/** A thing of another peer, in use: after the WoT Scripting API's ConsumedThing. */
export interface ConsumedThing {
  readonly summary: ThingSummary;
  /** Default deadline 10 s each. */
  readProperty(name: string, options?: WaitOptions): Promise<Reading>;
  writeProperty(name: string, value: JsonValue, options?: WaitOptions): Promise<void>;
  invokeAction(name: string, input?: JsonValue, options?: WaitOptions): Promise<JsonValue | undefined>;
  /** The present value first, then each change; survives restarts of the other side until the iteration or the signal ends. */
  observeProperty(name: string, options?: { readonly signal?: AbortSignal }): AsyncIterable<ObservationNotice>;
  subscribeEvent(name: string, options?: { readonly signal?: AbortSignal }): AsyncIterable<ObservationNotice>;
  close(): Promise<void>;
}
