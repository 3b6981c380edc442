import { equalBytes } from '../advertisement/cose-sign1.ts';
import { type ErrorCode, PipevineError } from '../error/pipevine-error.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import type { Storage, StorageChange } from '../platform/storage.ts';
import type { MailboxHandler } from './mailbox.ts';
import { MAX_DELIVERIES_WAITING } from './mailbox-defaults.ts';
import type { OpenedEnvelope } from './mailbox-envelope.ts';
import type { TakenIds } from './taken-ids.ts';

export interface MailboxReceiverInit {
  readonly storage: Storage;
  readonly taken: TakenIds;
  /** Opens and verifies; throws a PipevineError. */
  readonly open: (sealed: Uint8Array) => OpenedEnvelope;
  /** A recipient says that it has taken a message of ours. */
  readonly onReceipt: (recipient: PeerId, id: Uint8Array) => void;
  readonly handler: () => MailboxHandler | undefined;
}

/** Errors of opening that no time mends. */
const FINAL: ReadonlySet<ErrorCode> = new Set(['malformed', 'too-large', 'forged', 'revoked']);

/** `taken`, now or before; `refused` for ever; or `kept` where it was, to be offered again. */
export type Reception =
  | { readonly type: 'taken'; readonly envelope: OpenedEnvelope }
  | { readonly type: 'kept' | 'refused'; readonly error: PipevineError };

/** Takes sealed messages, from wherever they come: verifies, leaves out what was taken before, calls the handler one at a time. */
export class MailboxReceiver {
  readonly #init: MailboxReceiverInit;
  readonly #counters = { taken: 0, duplicates: 0, refused: 0, kept: 0, receipts: 0 };
  #line: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(init: MailboxReceiverInit) {
    this.#init = init;
  }

  get counters(): Readonly<Record<'taken' | 'duplicates' | 'refused' | 'kept' | 'receipts', number>> {
    return this.#counters;
  }

  /** `said` is what whoever passed it on says about it: that must be so. Never rejects but for a defect. */
  async receive(
    sealed: Uint8Array,
    said: { readonly sender: PeerId; readonly id: Uint8Array; readonly isReceipt?: boolean },
  ): Promise<Reception> {
    let envelope: OpenedEnvelope;
    try {
      envelope = this.#init.open(sealed);
      const names = envelope.content.type === 'receipt' ? envelope.content.taken : envelope.id;
      if (envelope.sender !== said.sender || !equalBytes(names, said.id)) {
        const what = `A message came as of ${shortPeerId(said.sender)}, but was sealed by ${shortPeerId(envelope.sender)} or under another id.`;
        throw new PipevineError('forged', what);
      }
    } catch (error) {
      const reason = pipevineError(error);
      // What the group says now it may not say for ever: a clock that was not yet set, a charter not yet known.
      if (!FINAL.has(reason.code)) return this.#kept(reason);
      this.#counters.refused++;
      return { type: 'refused', error: reason };
    }
    const { content, sender } = envelope;
    if (content.type === 'receipt') {
      this.#counters.receipts++;
      this.#init.onReceipt(sender, content.taken);
      return { type: 'taken', envelope };
    }
    if (this.#waiting >= MAX_DELIVERIES_WAITING) {
      return this.#kept(new PipevineError('overloaded', 'More messages wait for the handler than may; it is slow.'));
    }
    this.#waiting++;
    const turn = this.#line.then(() => this.#take(envelope, content.body));
    this.#line = turn.catch(() => undefined);
    return turn.finally(() => {
      this.#waiting--;
    });
  }

  async #take(envelope: OpenedEnvelope, body: Uint8Array): Promise<Reception> {
    const { taken, storage } = this.#init;
    const { sender, credential, id, sentAtMs } = envelope;
    if (taken.has(sender, id)) {
      this.#counters.duplicates++;
      return { type: 'taken', envelope };
    }
    const handler = this.#init.handler();
    if (handler === undefined) return this.#kept(new PipevineError('not-found', 'Nobody receives messages here.'));
    let changes: readonly StorageChange[];
    try {
      changes = (await handler({ sender, credential, id, sentAtMs, body })) || [];
    } catch (cause) {
      return this.#kept(new PipevineError('busy', 'The receiving program did not take the message.', { cause }));
    }
    try {
      await storage.commit([...taken.add(sender, id), ...changes]);
    } catch (error) {
      taken.forget(sender, id);
      return this.#kept(pipevineError(error));
    }
    this.#counters.taken++;
    return { type: 'taken', envelope };
  }

  #kept(error: PipevineError): Reception {
    this.#counters.kept++;
    return { type: 'kept', error };
  }
}

function pipevineError(error: unknown): PipevineError {
  if (error instanceof PipevineError) return error;
  throw error;
}
