import { type Identity, identityFromSeed } from '../../id/identity.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Crypto } from '../../platform/crypto.ts';
import type { Random } from '../../platform/random.ts';
import type { ControlFrame } from '../../wire/frame.ts';
import { joinBytes } from '../../wire/join-bytes.ts';
import { acceptLink } from '../accept-link.ts';
import { dialLink } from '../dial-link.ts';
import type { LinkHandler } from '../link.ts';
import { LinkHandshake, PatternCode } from '../link-handshake.ts';
import type { AcceptLinkInit, DialLinkInit } from '../link-init.ts';
import { RecordSplitter } from '../record-splitter.ts';
import type { SessionLink } from '../session-link.ts';
import { TestConnection } from './connection-pair.ts';

/** A clock in virtual time, as far as it is used here. */
export interface TestClock extends Clock {
  readonly pendingTimers: number;
  run<T>(promise: Promise<T>): Promise<T>;
  runFor(durationMs: number): Promise<void>;
  runUntil(isDone: () => boolean, limitMs?: number): Promise<void>;
}

/** What the tests bring: the runtime itself has no platform. */
export interface TestPlatform<C extends TestClock> {
  readonly crypto: Crypto;
  /** Random numbers that depend on the seed alone. */
  random(seed: string): Random;
  clock(): C;
}

/** Remembers all that a link tells. */
export class Recorder implements LinkHandler {
  readonly data: { channel: number; payload: Uint8Array; sequence: number | undefined; more: boolean }[] = [];
  readonly frames: ControlFrame[] = [];
  /** The codes of the errors with which the link closed, or `done`. */
  readonly closed: string[] = [];
  reason = '';
  records = 0;
  writable = 0;

  onData(channel: number, payload: Uint8Array, sequence: number | undefined, more: boolean): void {
    this.data.push({ channel, payload, sequence, more });
  }
  onFrame(frame: ControlFrame): void {
    this.frames.push(frame);
  }
  onRecordEnd(): void {
    this.records++;
  }
  onWritable(): void {
    this.writable++;
  }
  onClosed(error?: { code: string; message: string }): void {
    this.closed.push(error?.code ?? 'done');
    this.reason = error?.message ?? '';
  }
}

export interface Ends<C extends TestClock> {
  readonly clock: C;
  readonly dialler: TestConnection;
  readonly acceptor: TestConnection;
  readonly dial: () => Promise<SessionLink>;
  readonly accept: () => Promise<SessionLink>;
}

export interface LinkPair<C extends TestClock> extends Ends<C> {
  readonly a: SessionLink;
  readonly b: SessionLink;
  readonly atA: Recorder;
  readonly atB: Recorder;
}

/** Links between fixed peers, over a connection that the test holds in its hands. */
export class LinkTesting<C extends TestClock> {
  readonly alice: Identity;
  readonly bob: Identity;
  readonly carol: Identity;
  readonly #platform: TestPlatform<C>;

  constructor(platform: TestPlatform<C>) {
    this.#platform = platform;
    this.alice = identityFromSeed(platform.crypto, new Uint8Array(32).fill(0xa1));
    this.bob = identityFromSeed(platform.crypto, new Uint8Array(32).fill(0xb2));
    this.carol = identityFromSeed(platform.crypto, new Uint8Array(32).fill(0xc3));
  }

  /** Two ends of a connection in virtual time; Alice dials, Bob accepts. All that is random comes from fixed seeds. */
  ends(kind: 'stream' | 'datagram', dial: Partial<DialLinkInit> = {}, accept: Partial<AcceptLinkInit> = {}): Ends<C> {
    const { crypto } = this.#platform;
    const clock = this.#platform.clock();
    const [dialler, acceptor] = TestConnection.pair(kind);
    const random = (seed: string) => this.#platform.random(seed);
    const asAlice = { clock, crypto, identity: this.alice, connection: dialler };
    const asBob = { clock, crypto, identity: this.bob, connection: acceptor };
    return {
      clock,
      dialler,
      acceptor,
      dial: () => dialLink({ ...asAlice, random: random('alice'), ...dial }),
      accept: () => acceptLink({ ...asBob, random: random('bob'), ...accept }),
    };
  }

  /** Two links that have been started. */
  async linkPair(
    kind: 'stream' | 'datagram',
    dial: Partial<DialLinkInit> = {},
    accept: Partial<AcceptLinkInit> = {},
  ): Promise<LinkPair<C>> {
    const pair = this.ends(kind, dial, accept);
    const accepted = pair.accept();
    const a = await pair.clock.run(pair.dial());
    const atA = new Recorder();
    a.start(atA);
    const b = await pair.clock.run(accepted);
    const atB = new Recorder();
    b.start(atB);
    await pair.clock.runFor(50);
    return { ...pair, a, b, atA, atB };
  }

  /** Bob's link, and a dialler who may say whatever it likes in records of its own. */
  async linkToRawPeer(accept: Partial<AcceptLinkInit> = {}) {
    const pair = this.ends('stream', {}, accept);
    const accepted = pair.accept();
    const { crypto } = this.#platform;
    const init = { crypto, random: this.#platform.random('raw'), identity: this.alice, maxRecordBytes: 65_519 };
    const handshake = new LinkHandshake({ ...init, role: 'initiator', pattern: PatternCode.xx });
    const framed = (message: Uint8Array) => [Uint8Array.from([message.length >> 8, message.length & 0xff]), message];
    const splitter = new RecordSplitter(65_535);
    const inbox: Uint8Array[] = [];
    pair.dialler.start({
      onBytes: (bytes) => splitter.push(bytes, { onRecord: (record) => inbox.push(record) }),
      onWritable: () => {},
      onClosed: () => {},
    });
    pair.dialler.write(framed(joinBytes([Uint8Array.from([PatternCode.xx]), handshake.write()])));
    await pair.clock.runFor(0);
    handshake.read(inbox.shift() ?? new Uint8Array(0));
    pair.dialler.write(framed(handshake.write()));
    const link = await pair.clock.run(accepted);
    const recorder = new Recorder();
    link.start(recorder);
    await pair.clock.runFor(0);
    const { send } = handshake.session();
    const say = async (plaintext: Uint8Array) => {
      pair.dialler.write(framed(send.seal(plaintext)));
      await pair.clock.runFor(0);
    };
    return { ...pair, link, recorder, send, say };
  }
}

/** What a rejected promise rejects with: its code. */
export async function failure(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'none',
    (error: { code?: string }) => error.code ?? String(error),
  );
}
