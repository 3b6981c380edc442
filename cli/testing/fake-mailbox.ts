import {
  type Mailbox,
  type MailboxEvents,
  type MailboxHandler,
  type MailboxSendOptions,
  type MailboxSendResult,
  type PeerId,
  PipevineError,
} from '@pipevine/runtime';

/** A mailbox of one group that records what is sent, and into which tests put messages. */
export class FakeMailbox implements Mailbox {
  readonly sent: { readonly to: PeerId; readonly text: string; readonly options: MailboxSendOptions }[] = [];
  /** How the next messages are sent; a relay holds them by default. */
  next: { readonly state: 'delivered' | 'stored' } | { readonly state: 'waiting'; readonly reason: PipevineError };
  /** Called when a message was sent, with what tells its outcome. */
  onSent: (events: MailboxEvents, message: { readonly id: Uint8Array; readonly recipient: PeerId }) => void = () => {};
  readonly #relay: PeerId;
  readonly #listeners = new Set<MailboxEvents>();
  #handler: MailboxHandler | undefined;

  constructor(relay: PeerId) {
    this.#relay = relay;
    this.next = { state: 'stored' };
  }

  get isReceiving(): boolean {
    return this.#handler !== undefined;
  }

  async send(to: PeerId, body: Uint8Array, options: MailboxSendOptions = {}): Promise<MailboxSendResult> {
    const { signal: _, ...given } = options;
    this.sent.push({ to, text: Buffer.from(body).toString('latin1'), options: given });
    const id = new Uint8Array(16).fill(this.sent.length);
    queueMicrotask(() => {
      for (const events of this.#listeners) this.onSent(events, { id, recipient: to });
    });
    const { next } = this;
    if (next.state === 'waiting') return { ...next, id };
    return next.state === 'stored' ? { state: 'stored', id, relay: this.#relay } : { state: 'delivered', id };
  }

  receive(handler: MailboxHandler): { close(): void } {
    if (this.#handler !== undefined) throw new PipevineError('busy', 'Messages are received here already.');
    this.#handler = handler;
    return {
      close: () => {
        this.#handler = undefined;
      },
    };
  }

  subscribe(events: MailboxEvents): { unsubscribe(): void } {
    this.#listeners.add(events);
    return { unsubscribe: () => this.#listeners.delete(events) };
  }

  /** Offers a message; resolves when it was taken, and rejects when not. */
  async offer(sender: PeerId, body: Uint8Array, sentAtMs: number): Promise<void> {
    const credential = {} as Parameters<MailboxHandler>[0]['credential']; // The daemon does not look at it.
    const handler = this.#handler;
    if (handler === undefined) throw new PipevineError('not-found', 'Nobody receives messages here.');
    await handler({ sender, credential, id: new Uint8Array(16).fill(7), sentAtMs, body });
  }
}
