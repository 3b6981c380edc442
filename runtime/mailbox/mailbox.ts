import type { PipevineError } from '../error/pipevine-error.ts';
import type { Credential } from '../group/group-access.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { WaitOptions } from '../pipe/pipe.ts';
import type { StorageChange } from '../platform/storage.ts';

/** A message that was sealed for this peer, opened and verified. */
export interface MailboxMessage {
  readonly sender: PeerId;
  /** Of the sender, valid now. */
  readonly credential: Credential;
  /** 16 bytes, the sender's choice. */
  readonly id: Uint8Array;
  /** The sender's wall clock when it was sent, ms since 1970. */
  readonly sentAtMs: number;
  readonly body: Uint8Array;
}

/**
 * Takes one message at a time. Its return means taken: only then is the message deleted where it waited. What it throws means
 * not taken: the message is offered again later, after others. Changes that it returns are stored in the same commit that
 * remembers the message as taken, so a handler that keeps its state there sees each message exactly once whatever dies.
 */
export type MailboxHandler = (message: MailboxMessage) => Promise<readonly StorageChange[]> | Promise<void>;

export interface MailboxSendOptions extends WaitOptions {
  /** How long the message is worth keeping; default 7 days, at most 90. A relay may take less. */
  readonly lifetimeMs?: number;
  /** Whether to be told by the recipient that it has taken the message; default false. */
  readonly receipt?: boolean;
}

/**
 * `delivered`: the recipient has taken it. `stored`: a relay holds it. `waiting`: nobody could be given it before the
 * deadline; it is in this peer's own storage and tried again. A restart loses it in none of the three.
 */
export type MailboxSendResult =
  | { readonly state: 'delivered'; readonly id: Uint8Array }
  | { readonly state: 'stored'; readonly id: Uint8Array; readonly relay: PeerId }
  | { readonly state: 'waiting'; readonly id: Uint8Array; readonly reason: PipevineError | undefined };

export interface SentMessage {
  readonly id: Uint8Array;
  readonly recipient: PeerId;
}

export interface MailboxEvents {
  /** The recipient has taken it: it said so itself, directly or by a receipt. */
  onDelivered?(message: SentMessage): void;
  onStored?(message: SentMessage & { readonly relay: PeerId }): void;
  /** It is given up: `expired`, or what the recipient refused it with. */
  onFailed?(message: SentMessage & { readonly error: PipevineError }): void;
}

/** A group's mailbox as a program uses it. */
export interface Mailbox {
  /**
   * Sends one message of at most 48 KiB; default deadline 15 s. It is in this peer's storage before anybody is asked. Rejects, and
   * nothing is sent, with `invalid-argument`, `too-large`, `overloaded` (the outbox is full), `not-found` (no key of the
   * recipient is known), `storage-full`; and with `refused` when the recipient will not have it.
   */
  send(recipient: PeerId, body: Uint8Array, options?: MailboxSendOptions): Promise<MailboxSendResult>;
  /** Begins to receive; a peer has one receiver a group. Throws `busy` while there is another. */
  receive(handler: MailboxHandler): { close(): void };
  subscribe(events: MailboxEvents): { unsubscribe(): void };
}
