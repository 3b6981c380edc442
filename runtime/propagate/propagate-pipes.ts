import { TokenBucket } from '../bound/token-bucket.ts';
import { abortable } from '../endpoint/abortable.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { checkAccess } from '../group/access.ts';
import type { Credential } from '../group/group-access.ts';
import { base32Encode } from '../id/base32.ts';
import type { PeerId } from '../id/peer-id.ts';
import { requirePipeName } from '../pipe/listeners.ts';
import type { AeadKey } from '../platform/crypto.ts';
import type { GroupResolver, ResolverContext } from '../resolver/resolver.ts';
import { FragmentAssembly } from './fragment-assembly.ts';
import { GroupEpochs, type GroupEpochsInit } from './group-epochs.ts';
import { HeldMessages, type SealedMessage } from './held-messages.ts';
import { MessageInbox } from './message-inbox.ts';
import {
  type Content,
  decodeContent,
  decodeEnvelope,
  type Envelope,
  encodeContent,
  encodeEnvelope,
  KEY_ID_BYTES,
  MESSAGE_ID_BYTES,
  NONCE_BYTES,
} from './propagate-codec.ts';
import {
  FRAGMENT_BYTES,
  MAX_HELD,
  MAX_MESSAGE_BYTES,
  MAX_OPEN,
  MAX_PARTIAL,
  MAX_UNREAD,
  MAX_WAITING_SENDS,
  PROPAGATE_HANDLER,
  SEND_BURST,
  SEND_PAUSE_MS,
  SEND_TIMEOUT_MS,
  SENDS_PER_SECOND,
} from './propagate-defaults.ts';
import type { PropagateMessage, PropagatePipe, PropagateSendOptions } from './propagate-pipe.ts';

export interface PropagatePipesInit extends Omit<GroupEpochsInit, 'onKey' | 'onError'> {
  readonly resolver: GroupResolver;
  /** What handlers of the application threw, and keys that could not be kept. Default: dropped. */
  readonly onError?: (error: unknown) => void;
}

const NOTHING = new Uint8Array(0);

/** The propagate pipes of one group. */
export class PropagatePipes {
  readonly #init: PropagatePipesInit;
  readonly #epochs: GroupEpochs;
  readonly #handler: { close(): void };
  readonly #open = new Map<string, Set<OpenPipe>>();
  readonly #held = new HeldMessages();
  readonly #fragments = new FragmentAssembly();
  readonly #rate: TokenBucket;
  readonly #onError: (error: unknown) => void;
  readonly #closing = new AbortController();
  #turn: Promise<unknown> = Promise.resolve();
  #waitingSends = 0;
  #openCount = 0;
  #unreadable = 0;
  #malformed = 0;
  #unreadDropped = 0;
  #refusedSends = 0;

  /** Throws `busy` when the resolver has a handler `propagate` or `epoch`. */
  constructor(init: PropagatePipesInit) {
    this.#init = init;
    this.#onError = init.onError ?? (() => {});
    this.#rate = new TokenBucket(SEND_BURST, SENDS_PER_SECOND, init.clock.monotonicMs());
    this.#epochs = new GroupEpochs({ ...init, onKey: () => this.#onKey(), onError: this.#onError });
    this.#handler = init.resolver.handle(PROPAGATE_HANDLER, async (body, context) => this.#onMessage(body, context));
  }

  /** Opens a pipe. Several of one name are independent. Throws `invalid-argument`, `overloaded` or `closed`. */
  open(name: string): PropagatePipe {
    requirePipeName(name);
    if (this.#closing.signal.aborted) throw closed();
    if (this.#openCount >= MAX_OPEN) {
      throw new PipevineError('overloaded', `${MAX_OPEN} propagate pipes are open, the limit; close some.`);
    }
    const pipes = this.#open.get(name) ?? new Set();
    const pipe: OpenPipe = new OpenPipe(name, {
      send: (message, options) => this.#send(pipe, message, options),
      onError: this.#onError,
      onClose: () => {
        if (!pipes.delete(pipe)) return;
        this.#openCount--;
        this.#unreadDropped += pipe.dropped;
        if (pipes.size === 0) this.#open.delete(name);
      },
    });
    pipes.add(pipe);
    this.#open.set(name, pipes);
    this.#openCount++;
    this.#epochs.use();
    return pipe;
  }

  /** Number of the epoch whose key counts now; 0 before the first. */
  get epoch(): number {
    return this.#epochs.number;
  }

  /** Bounds and counters, by name. */
  status(): Readonly<Record<string, { readonly used: number; readonly limit: number; readonly dropped: number }>> {
    const pipes = [...this.#open.values()].flatMap((all) => [...all]);
    const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);
    return {
      'propagate pipes': { used: this.#openCount, limit: MAX_OPEN, dropped: 0 },
      'propagate sends waiting': { used: this.#waitingSends, limit: MAX_WAITING_SENDS, dropped: this.#refusedSends },
      'propagate messages unread of one pipe': {
        used: Math.max(0, ...pipes.map(({ unread }) => unread)),
        limit: MAX_UNREAD,
        dropped: this.#unreadDropped + sum(pipes.map(({ dropped }) => dropped)),
      },
      'propagate messages without key': { used: this.#held.size, limit: MAX_HELD, dropped: this.#held.dropped },
      'propagate messages incomplete': {
        used: this.#fragments.size,
        limit: MAX_PARTIAL,
        dropped: this.#fragments.dropped,
      },
      'propagate messages unreadable': { used: 0, limit: 0, dropped: this.#unreadable },
      'propagate messages malformed': { used: 0, limit: 0, dropped: this.#malformed },
      ...this.#epochs.status(),
    };
  }

  /** Closes all pipes. Idempotent. */
  close(): void {
    this.#closing.abort();
    for (const pipes of [...this.#open.values()]) for (const pipe of [...pipes]) pipe.close();
    this.#handler.close();
    this.#epochs.close();
  }

  async #send(pipe: OpenPipe, message: Uint8Array, options: PropagateSendOptions = {}): Promise<number> {
    if (message.length > MAX_MESSAGE_BYTES) {
      throw new PipevineError(
        'too-large',
        `A propagate pipe takes messages of ${MAX_MESSAGE_BYTES} bytes at most, not ${message.length}; use a secure pipe to each, or share it as content.`,
      );
    }
    if (this.#waitingSends >= MAX_WAITING_SENDS) {
      this.#refusedSends++;
      throw new PipevineError('overloaded', `${MAX_WAITING_SENDS} sends wait already; wait for some of them.`);
    }
    const { clock, groups, resolver, identity } = this.#init;
    // Before anybody is asked for a key, or makes one.
    checkAccess('resolver.propagate', identity.id, groups.membership(resolver.group)?.credential);
    const { timeoutMs = SEND_TIMEOUT_MS } = options;
    const untilMs = clock.monotonicMs() + timeoutMs;
    const contents = this.#contents(pipe.name, message.slice());
    this.#waitingSends++;
    // One after the other, so that the fragments of two messages are not mixed.
    const sent = this.#turn.then(() => this.#sendAll(contents, options, untilMs));
    this.#turn = sent.catch(() => undefined);
    try {
      const taken = await sent;
      this.#deliverHere(pipe, message);
      return taken;
    } finally {
      this.#waitingSends--;
    }
  }

  #contents(name: string, message: Uint8Array): Content[] {
    if (message.length <= FRAGMENT_BYTES) return [{ name, bytes: message }];
    const id = this.#init.random.bytes(MESSAGE_ID_BYTES);
    const count = Math.ceil(message.length / FRAGMENT_BYTES);
    return Array.from({ length: count }, (_, index) => ({
      name,
      bytes: message.subarray(index * FRAGMENT_BYTES, (index + 1) * FRAGMENT_BYTES),
      fragment: { message: id, index, count },
    }));
  }

  async #sendAll(contents: readonly Content[], options: PropagateSendOptions, untilMs: number): Promise<number> {
    let least = Infinity;
    for (const content of contents) least = Math.min(least, await this.#sendOne(content, options, untilMs));
    return least;
  }

  async #sendOne(content: Content, { ttlHops, signal }: PropagateSendOptions, untilMs: number): Promise<number> {
    const { clock, random, resolver } = this.#init;
    const plaintext = encodeContent(content);
    for (;;) {
      const timeoutMs = Math.max(0, untilMs - clock.monotonicMs());
      const wait = { timeoutMs, ...(signal && { signal }) };
      if (signal?.aborted) throw new PipevineError('aborted', 'The send was aborted by the caller.');
      if (timeoutMs === 0)
        throw new PipevineError('timeout', 'The message was not sent in time: too many go before it.');
      const { number, keyHash, key } = await this.#epochs.sealer(wait);
      if (this.#closing.signal.aborted) throw closed();
      if (this.#rate.take(clock.monotonicMs())) {
        const nonce = random.bytes(NONCE_BYTES);
        const envelope = {
          number,
          keyId: keyHash.subarray(0, KEY_ID_BYTES),
          nonce,
          sealed: key.seal(nonce, plaintext),
        };
        try {
          const sending = resolver.propagate(PROPAGATE_HANDLER, encodeEnvelope(envelope), {
            ...wait,
            ...(ttlHops !== undefined && { ttlHops }),
          });
          return await sending;
        } catch (error) {
          // Other services of this peer propagate too.
          if (!(error instanceof PipevineError) || error.code !== 'overloaded') throw error;
        }
      }
      const pause = new Promise<void>((resolve) => clock.setTimer(SEND_PAUSE_MS, resolve));
      await abortable(pause, clock, wait, 'the turn of a message').catch((error: unknown) => {
        if (!(error instanceof PipevineError) || error.code !== 'timeout') throw error;
      });
    }
  }

  /** To the other pipes of this name in this process. */
  #deliverHere(from: OpenPipe, bytes: Uint8Array): void {
    const { groups, resolver, identity } = this.#init;
    const others = [...(this.#open.get(from.name) ?? [])].filter((pipe) => pipe !== from);
    if (others.length === 0) return;
    const credential = groups.membership(resolver.group)?.credential;
    if (credential === undefined) return;
    for (const pipe of others) pipe.deliver({ from: identity.id, credential, bytes: bytes.slice() });
  }

  #onMessage(body: Uint8Array, { remotePeer, credential, propagated }: ResolverContext): Uint8Array {
    if (!propagated) throw new PipevineError('protocol', 'Messages of propagate pipes come by propagation alone.');
    if (this.#openCount > 0) this.#read(body, remotePeer, credential);
    return NOTHING;
  }

  #read(body: Uint8Array, from: PeerId, credential: Credential): void {
    try {
      this.#unseal({ from, credential, envelope: decodeEnvelope(body) });
    } catch (error) {
      if (!(error instanceof PipevineError)) throw error;
      // Whoever passed it on cannot know.
      this.#malformed++;
    }
  }

  #keyOf({ keyId }: Envelope, from: PeerId): AeadKey | undefined {
    return this.#epochs.opener(base32Encode(keyId), from);
  }

  /** Opens and delivers a message; what has no key yet is held. Throws `malformed` or `forged`. */
  #unseal(message: SealedMessage): void {
    const { from, credential, envelope } = message;
    const key = this.#keyOf(envelope, from);
    if (key === undefined) {
      if (envelope.number < this.#epochs.number) {
        this.#unreadable++;
        return;
      }
      this.#held.add(message, this.#init.clock.monotonicMs());
      this.#epochs.want();
      return;
    }
    const plaintext = key.open(envelope.nonce, envelope.sealed);
    if (plaintext === undefined) throw new PipevineError('forged', 'A message was not sealed by who has signed it.');
    const content = decodeContent(plaintext);
    const pipes = this.#open.get(content.name);
    if (pipes === undefined) return;
    const bytes = this.#fragments.add(from, content, this.#init.clock.monotonicMs());
    if (bytes === undefined) return;
    for (const pipe of pipes) pipe.deliver({ from, credential, bytes: bytes.slice() });
  }

  #onKey(): void {
    const isReadable = ({ envelope, from }: SealedMessage) => this.#keyOf(envelope, from) !== undefined;
    for (const message of this.#held.take(isReadable, this.#init.clock.monotonicMs())) {
      try {
        this.#unseal(message);
      } catch (error) {
        if (!(error instanceof PipevineError)) throw error;
        this.#malformed++;
      }
    }
  }
}

interface OpenPipeInit {
  readonly send: (message: Uint8Array, options?: PropagateSendOptions) => Promise<number>;
  readonly onError: (error: unknown) => void;
  readonly onClose: () => void;
}

class OpenPipe implements PropagatePipe {
  readonly name: string;
  readonly #init: OpenPipeInit;
  readonly #inbox: MessageInbox;
  #closed = false;

  constructor(name: string, init: OpenPipeInit) {
    this.name = name;
    this.#init = init;
    this.#inbox = new MessageInbox(init.onError);
  }

  get dropped(): number {
    return this.#inbox.dropped;
  }

  get unread(): number {
    return this.#inbox.size;
  }

  async send(message: Uint8Array, options?: PropagateSendOptions): Promise<number> {
    if (this.#closed) throw closed();
    return this.#init.send(message, options);
  }

  receive(onMessage: (message: PropagateMessage) => void | Promise<void>): void {
    if (!this.#closed) this.#inbox.receive(onMessage);
  }

  deliver(message: PropagateMessage): void {
    this.#inbox.put(message);
  }

  close(): void {
    this.#closed = true;
    this.#init.onClose();
    this.#inbox.close();
  }
}

function closed(): PipevineError {
  return new PipevineError('closed', 'The propagate pipe is closed; open it again.');
}
