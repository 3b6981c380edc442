import { type ErrorCode, PipevineError } from '../error/pipevine-error.ts';
import type { WaitOptions } from '../pipe/pipe.ts';
import type { Clock } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import type { ConsumedThing, ObservationNotice, Reading, ThingSummary } from './thing.ts';
import {
  decodeEventItem,
  decodeOutput,
  decodeReading,
  decodeReadingItem,
  encodeThingRequest,
  type ThingRequest,
} from './thing-codec.ts';
import type { ThingConnection } from './thing-connections.ts';
import { MAX_RESUME_DELAY_MS, RESUME_DELAY_MS, THING_REQUEST_TIMEOUT_MS } from './thing-defaults.ts';
import type { JsonValue } from './thing-description.ts';
import { parseThingId } from './thing-id.ts';
import { affordanceOf } from './thing-server.ts';
import { checkValue } from './value-check.ts';

export interface ConsumedThingInit {
  readonly summary: ThingSummary;
  readonly connection: ThingConnection;
  readonly clock: Clock;
  readonly random: Random;
  /** Before another attempt of an interrupted observation: a good moment to look for the thing's present host. */
  readonly findAgain?: () => Promise<void>;
  readonly onClosed?: () => void;
}

/** These will not heal by themselves. All else is tried again for as long as the observation runs. */
const FINAL: readonly ErrorCode[] = ['invalid-argument', 'unsupported', 'revoked'];

/** A thing of another peer over the request pipe to it. */
export function consumeThing(init: ConsumedThingInit): ConsumedThing {
  return new RemoteThing(init);
}

class RemoteThing implements ConsumedThing {
  readonly summary: ThingSummary;
  readonly #connection: ThingConnection;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #findAgain: () => Promise<void>;
  readonly #onClosed: () => void;
  readonly #key: string;
  readonly #closing = new AbortController();

  constructor(init: ConsumedThingInit) {
    this.summary = init.summary;
    this.#connection = init.connection;
    this.#clock = init.clock;
    this.#random = init.random;
    this.#findAgain = init.findAgain ?? (async () => undefined);
    this.#onClosed = init.onClosed ?? (() => undefined);
    this.#key = parseThingId(init.summary.id).key;
  }

  async readProperty(name: string, options?: WaitOptions): Promise<Reading> {
    const property = affordanceOf(this.summary.description, 'properties', name);
    if (property.writeOnly === true) this.#refuse(`Property "${name}" of "${this.summary.title}" can only be written.`);
    return decodeReading(await this.#request({ operation: 'read', thing: this.#key, name }, options));
  }

  async writeProperty(name: string, value: JsonValue, options?: WaitOptions): Promise<void> {
    const property = affordanceOf(this.summary.description, 'properties', name);
    if (property.readOnly === true) this.#refuse(`Property "${name}" of "${this.summary.title}" is read-only.`);
    checkValue(property, value, `property "${name}"`);
    await this.#request({ operation: 'write', thing: this.#key, name, value }, options);
  }

  async invokeAction(name: string, input?: JsonValue, options?: WaitOptions): Promise<JsonValue | undefined> {
    const action = affordanceOf(this.summary.description, 'actions', name);
    if (action.input !== undefined) checkValue(action.input, input, `the input of action "${name}"`);
    const request: ThingRequest = { operation: 'invoke', thing: this.#key, name, value: input };
    return decodeOutput(await this.#request(request, options));
  }

  observeProperty(name: string, options?: { readonly signal?: AbortSignal }): AsyncIterable<ObservationNotice> {
    affordanceOf(this.summary.description, 'properties', name);
    return this.#observe({ operation: 'observe', thing: this.#key, name }, options?.signal, (item) => {
      const reading = decodeReadingItem(item);
      return reading && { type: 'value', reading };
    });
  }

  subscribeEvent(name: string, options?: { readonly signal?: AbortSignal }): AsyncIterable<ObservationNotice> {
    affordanceOf(this.summary.description, 'events', name);
    return this.#observe({ operation: 'subscribe', thing: this.#key, name }, options?.signal, (item) => {
      const event = decodeEventItem(item);
      return event && { type: 'event', ...event };
    });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#connection.release();
    this.#onClosed();
  }

  async #request(request: ThingRequest, options?: WaitOptions): Promise<Uint8Array> {
    this.#checkOpen();
    const body = encodeThingRequest(request);
    const timeoutMs = options?.timeoutMs ?? THING_REQUEST_TIMEOUT_MS;
    const signal = { ...(options?.signal && { signal: options.signal }) };
    const deadlineMs = this.#clock.monotonicMs() + timeoutMs;
    for (let attempt = 0; ; attempt++) {
      const leftMs = Math.max(1, deadlineMs - this.#clock.monotonicMs());
      const pipe = await this.#connection.pipe({ timeoutMs: leftMs, ...signal });
      try {
        return await pipe.request(body, { timeoutMs: Math.max(1, deadlineMs - this.#clock.monotonicMs()), ...signal });
      } catch (error) {
        // Reading twice does no harm, and the pipe may have broken unseen. Whether a write came through is unknown.
        const broken = error instanceof PipevineError && (error.code === 'closed' || error.code === 'unreachable');
        if (request.operation !== 'read' || attempt > 0 || !broken) throw error;
      }
    }
  }

  async *#observe(
    request: ThingRequest,
    callerSignal: AbortSignal | undefined,
    noticeOf: (item: Uint8Array) => ObservationNotice | undefined,
  ): AsyncGenerator<ObservationNotice> {
    this.#checkOpen();
    const body = encodeThingRequest(request);
    const ending = new AbortController();
    const { signal } = ending;
    const end = () => ending.abort();
    const sources = callerSignal === undefined ? [this.#closing.signal] : [this.#closing.signal, callerSignal];
    for (const source of sources) {
      source.addEventListener('abort', end);
      if (source.aborted) end();
    }
    let state: 'starting' | 'running' | 'interrupted' = 'starting';
    let delayMs = RESUME_DELAY_MS;
    try {
      while (!signal.aborted) {
        let interruption: PipevineError;
        try {
          const pipe = await this.#connection.pipe({ timeoutMs: THING_REQUEST_TIMEOUT_MS, signal });
          for await (const item of pipe.stream(body, { timeoutMs: THING_REQUEST_TIMEOUT_MS, signal })) {
            if (state === 'interrupted') yield { type: 'resumed' };
            state = 'running';
            delayMs = RESUME_DELAY_MS;
            const notice = noticeOf(item);
            if (notice !== undefined) yield notice;
          }
          if (signal.aborted) return;
          interruption = new PipevineError('unreachable', 'The other side ended the observation; trying to resume it.');
        } catch (error) {
          if (signal.aborted) return;
          if (!(error instanceof PipevineError)) throw error;
          if (state === 'starting' || FINAL.includes(error.code)) throw error;
          interruption = error;
        }
        if (state === 'starting') throw interruption;
        if (state === 'running') yield { type: 'interrupted', error: interruption };
        state = 'interrupted';
        await this.#sleep(delayMs * (0.5 + 0.5 * this.#random.fraction()), signal);
        delayMs = Math.min(2 * delayMs, MAX_RESUME_DELAY_MS);
        if (!signal.aborted) await this.#findAgain();
      }
    } finally {
      for (const source of sources) source.removeEventListener('abort', end);
      end();
    }
  }

  #sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        timer.cancel();
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const timer = this.#clock.setTimer(delayMs, wake);
      signal.addEventListener('abort', wake);
      if (signal.aborted) wake();
    });
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) {
      throw new PipevineError('closed', `The consumed thing "${this.summary.title}" was closed; consume it again.`);
    }
  }

  #refuse(message: string): never {
    throw new PipevineError('refused', message);
  }
}
