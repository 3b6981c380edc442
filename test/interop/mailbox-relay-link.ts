import { type ChildProcess, fork } from 'node:child_process';
import { PipevineError } from '@pipevine/runtime';
import type { Credential } from '../../runtime/group/group-access.ts';
import type { GroupId } from '../../runtime/id/group-id.ts';
import type { PeerId } from '../../runtime/id/peer-id.ts';
import type { GroupNeighbour, NeighbourEvents } from '../../runtime/resolver/resolver.ts';
import type { FromRelay, ToRelay } from './mailbox-relay-messages.ts';

interface Call {
  take(message: FromRelay): void;
  fail(error: PipevineError): void;
}

/** The relay's process, and the way of members in this process to it. It can be killed and started again. */
export class RelayLink {
  readonly relay: Credential;
  /** Called for every message of the process, before it is handed on. */
  onMessage: (message: FromRelay) => void = () => undefined;
  readonly #file: string;
  readonly #listeners = new Set<{ readonly events: NeighbourEvents; readonly member: Credential }>();
  readonly #calls = new Map<number, Call>();
  #child: ChildProcess | undefined;
  #nextCall = 0;
  #isUp = false;
  #gone: Promise<void> = Promise.resolve();

  constructor(file: string, relay: Credential) {
    this.#file = file;
    this.relay = relay;
  }

  /** Resolves when it answers. With `death` it kills itself at that commit. */
  async start(death?: { readonly commit: number; readonly moment: 'before' | 'after' }): Promise<void> {
    const script = new URL('./mailbox-relay-process.ts', import.meta.url).pathname;
    const last = death === undefined ? [] : [String(death.commit), death.moment];
    const child = fork(script, [this.#file, this.relay.group, ...last], { serialization: 'advanced', execArgv: [] });
    this.#child = child;
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    // What it had said before it died still comes: then the channel ends.
    const silent = new Promise<void>((resolve) => child.once('disconnect', () => resolve()));
    this.#gone = Promise.all([exited, silent]).then(() => this.#lose(child));
    await new Promise<void>((resolve, reject) => {
      child.once('exit', () => reject(new Error('The relay ended before it was ready.')));
      child.on('message', (message: FromRelay) => {
        if (message.type === 'ready') return resolve();
        if (!this.#isUp || this.#child !== child) return;
        this.onMessage(message);
        if (this.#isUp) this.#calls.get(message.call)?.take(message);
      });
    });
    this.#isUp = true;
    for (const { events, member } of [...this.#listeners]) events.onOpen(this.#neighbour(member));
  }

  /** SIGKILL. Resolves when the process is gone. */
  kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    return this.#gone;
  }

  /** Resolves when the process is gone, by whatever. */
  get gone(): Promise<void> {
    return this.#gone;
  }

  /** The resolver of one member, whose only neighbour is the relay. */
  resolverOf(member: Credential) {
    const { group, subject: localPeer } = member;
    const neighbour = (peer: PeerId) =>
      this.#isUp && peer === this.relay.subject ? this.#neighbour(member) : undefined;
    return {
      group: group as GroupId,
      localPeer,
      handle: () => ({ close: () => undefined }),
      neighbour,
      neighbours: () => (this.#isUp ? [this.#neighbour(member)] : []),
      connect: async (peer: PeerId): Promise<GroupNeighbour> => {
        const there = neighbour(peer);
        if (there === undefined) throw new PipevineError('unreachable', 'Nobody answers there.');
        return there;
      },
      subscribe: (events: NeighbourEvents) => {
        const listener = { events, member };
        this.#listeners.add(listener);
        return { unsubscribe: () => this.#listeners.delete(listener) };
      },
    };
  }

  #lose(child: ChildProcess): void {
    if (this.#child !== child) return;
    this.#isUp = false;
    const error = new PipevineError('unreachable', 'The relay is gone.');
    for (const call of [...this.#calls.values()]) call.fail(error);
  }

  #neighbour(credential: Credential): GroupNeighbour {
    const stream = (_: string, body: Uint8Array, options: { readonly signal?: AbortSignal } = {}) =>
      this.#stream(body, credential, options.signal);
    const request = async (handler: string, body: Uint8Array): Promise<Uint8Array> => {
      for await (const answer of stream(handler, body)) return answer;
      throw new PipevineError('protocol', 'There was no answer.');
    };
    return { peer: this.relay.subject, credential: this.relay, request, stream, closed: new Promise(() => undefined) };
  }

  async *#stream(
    body: Uint8Array,
    credential: Credential,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    const call = this.#nextCall++;
    const queue: Uint8Array[] = [];
    let error: PipevineError | undefined;
    let ended = false;
    let wake = (): void => undefined;
    const fail = (cause: PipevineError): void => {
      error = cause;
      wake();
    };
    const onAbort = () => fail(new PipevineError('aborted', 'Aborted by the caller.'));
    if (!this.#isUp) throw new PipevineError('unreachable', 'The relay is gone.');
    this.#calls.set(call, {
      fail,
      take: (message) => {
        if (message.type === 'answer') queue.push(Uint8Array.from(message.body));
        else if (message.type === 'end') ended = true;
        else if (message.type === 'failure') error = new PipevineError('busy', message.message);
        wake();
      },
    });
    signal?.addEventListener('abort', onAbort);
    this.#send({ type: 'request', call, body, credential });
    try {
      for (;;) {
        const next = queue.shift();
        if (next !== undefined) yield next;
        else if (error !== undefined) throw error;
        else if (ended) return;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#calls.delete(call);
      if (this.#isUp && !ended) this.#send({ type: 'cancel', call });
    }
  }

  #send(message: ToRelay): void {
    // A process that is just dying takes nothing: the call then fails by its end.
    this.#child?.send(message, () => undefined);
  }
}
