import type { Credential } from '../group/group-access.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { WaitOptions } from '../pipe/pipe.ts';

/** What came on a propagate pipe. */
export interface PropagateMessage {
  /** Who sent it: proven by its signature. */
  readonly from: PeerId;
  /** Of the sender, valid when the message came. */
  readonly credential: Credential;
  readonly bytes: Uint8Array;
}

export interface PropagateSendOptions extends WaitOptions {
  /** Hops that the message may take; default 3, at most 8. */
  readonly ttlHops?: number;
}

/**
 * A pipe from each member of a group to all others that have opened the same name (JXTA's propagate pipe). Messages are
 * encrypted for the group and signed by their sender. Delivery is best effort: each message comes once or not at all, in no
 * promised order, and nobody acknowledges it.
 */
export interface PropagatePipe {
  readonly name: string;
  /**
   * Sends to all in reach, the other pipes of this name in this process among them; at most 256 KiB, in the long run some
   * 40 KiB a second. Resolves to how many neighbours took it for themselves and those behind them: 0 when there are none.
   * Rejects with `too-large`, `refused` (no right to publish), `unreachable` (nobody has the group's key), `overloaded`
   * (too many sends wait), `timeout` (default 30 s), `aborted` or `closed`.
   */
  send(message: Uint8Array, options?: PropagateSendOptions): Promise<number>;
  /** Hands over each message that comes from now on, one at a time; those that find 64 waiting are dropped. */
  receive(onMessage: (message: PropagateMessage) => void | Promise<void>): void;
  /** Messages that came and were dropped, because `onMessage` was slow. */
  readonly dropped: number;
  /** Idempotent. */
  close(): void;
}
