import { type ErrorCode, PipevineError } from '../error/pipevine-error.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import {
  MAX_ADDRESSES_PER_PEER,
  MAX_PARALLEL_DIALS,
  MAX_URGED_DIALS,
  REPEAT_DIAL_MS,
  STAGGER_MS,
} from './endpoint-defaults.ts';

export interface DialRaceInit<T> {
  readonly clock: Clock;
  /** Whom or what it is about, for errors: `peer abcd1234`. */
  readonly goal: string;
  readonly timeoutMs: number;
  /** Tries one address; the signal tells that the race is over. */
  readonly attempt: (address: EndpointAddress, signal: AbortSignal) => Promise<T>;
}

/** An address that waits for its turn. */
interface Runner {
  readonly address: EndpointAddress;
  readonly notBeforeMs: number;
}

/** What says most to a person, first. */
const TELLING: readonly ErrorCode[] = [
  'wrong-peer',
  'forged',
  'refused',
  'unsupported',
  'overloaded',
  'protocol',
  'malformed',
  'timeout',
];

/**
 * Tries several addresses, each a little after the one before or as soon as one fails; the first to succeed wins and
 * the others are aborted (in the spirit of RFC 8305).
 */
export class DialRace<T> {
  readonly result: Promise<T>;
  readonly #init: DialRaceInit<T>;
  readonly #deadlineMs: number;
  readonly #abort = new AbortController();
  /** Addresses of the race, and when the last attempt at each began; undefined: not yet, or over. */
  readonly #seen = new Map<EndpointAddress, number | undefined>();
  readonly #failures: { readonly address: EndpointAddress; readonly error: PipevineError }[] = [];
  readonly #urged = new Set<EndpointAddress>();
  #waiting: Runner[] = [];
  #running = 0;
  #nextStartMs = 0;
  #startTimer: Timer | undefined;
  readonly #deadlineTimer: Timer;
  #resolve: (value: T) => void = () => {};
  #reject: (error: PipevineError) => void = () => {};
  #over = false;

  constructor(init: DialRaceInit<T>) {
    this.#init = init;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#deadlineMs = init.clock.monotonicMs() + init.timeoutMs;
    this.#deadlineTimer = init.clock.setTimer(init.timeoutMs, () => this.#onDeadline());
  }

  /** Adds an address that rests until `notBeforeMs`; `lastError` is told when that is too late. Ignores known ones. */
  add(address: EndpointAddress, notBeforeMs: number, lastError: PipevineError | undefined): void {
    if (this.#over || this.#seen.has(address) || this.#seen.size >= MAX_ADDRESSES_PER_PEER) return;
    this.#seen.set(address, undefined);
    if (notBeforeMs >= this.#deadlineMs) {
      this.#failures.push({ address, error: lastError ?? new PipevineError('unreachable', 'it failed lately') });
    } else {
      this.#waiting.push({ address, notBeforeMs });
    }
  }

  /**
   * Tries a known address once more beside an attempt that has not come to an end for a while: what was sent into a
   * partition is sent again sooner than the transport would, when somebody cares.
   */
  repeat(address: EndpointAddress): void {
    const startedMs = this.#seen.get(address);
    if (this.#over || startedMs === undefined || this.#running >= MAX_PARALLEL_DIALS) return;
    if (this.#init.clock.monotonicMs() - startedMs >= REPEAT_DIAL_MS) this.#run(address);
  }

  /**
   * Tries an address at once, beside all others and beyond their places: the goal was heard there, and the way to it may
   * close soon.
   */
  urge(address: EndpointAddress): void {
    if (this.#over || this.#urged.size >= MAX_URGED_DIALS) return;
    const startedMs = this.#seen.get(address);
    if (startedMs !== undefined && this.#init.clock.monotonicMs() - startedMs < REPEAT_DIAL_MS) return;
    this.#waiting = this.#waiting.filter((runner) => runner.address !== address);
    this.#urged.add(address);
    this.#run(address);
  }

  /** Starts what may start, and ends the race when nothing is left. Call it after `add`. */
  advance(): void {
    if (this.#over) return;
    this.#startTimer?.cancel();
    const now = this.#init.clock.monotonicMs();
    while (this.#waiting.length > 0 && this.#running < MAX_PARALLEL_DIALS && now >= this.#nextStartMs) {
      const index = this.#waiting.findIndex((runner) => runner.notBeforeMs <= now);
      if (index === -1) break;
      const [runner] = this.#waiting.splice(index, 1);
      if (runner === undefined) break;
      this.#nextStartMs = now + STAGGER_MS;
      this.#run(runner.address);
    }
    if (this.#waiting.length > 0 && this.#running < MAX_PARALLEL_DIALS) {
      const soonest = Math.min(...this.#waiting.map((runner) => runner.notBeforeMs));
      const delayMs = Math.max(soonest, this.#nextStartMs) - now;
      this.#startTimer = this.#init.clock.setTimer(Math.max(0, delayMs), () => this.advance());
    } else if (this.#running === 0 && this.#waiting.length === 0) {
      this.fail(this.#verdict());
    }
  }

  /** The goal was reached in another way. */
  win(value: T): void {
    if (this.#end()) this.#resolve(value);
  }

  fail(error: PipevineError): void {
    if (this.#end()) this.#reject(error);
  }

  #run(address: EndpointAddress): void {
    this.#running++;
    this.#seen.set(address, this.#init.clock.monotonicMs());
    this.#init.attempt(address, this.#abort.signal).then(
      (value) => {
        this.#running--;
        this.win(value);
      },
      (cause: unknown) => {
        this.#running--;
        if (this.#over) return;
        const error = cause instanceof PipevineError ? cause : new PipevineError('internal', String(cause), { cause });
        this.#failures.push({ address, error });
        this.#nextStartMs = 0;
        this.advance();
      },
    );
  }

  #onDeadline(): void {
    const { goal, timeoutMs } = this.#init;
    const verdict = this.#failures.length > 0 ? this.#verdict() : undefined;
    const tried = verdict === undefined ? [...this.#seen.keys()].slice(0, 3).join(', ') : verdict.message;
    const code = verdict !== undefined && verdict.code !== 'unreachable' ? verdict.code : 'timeout';
    this.fail(new PipevineError(code, `No link to ${goal} within ${timeoutMs} ms; tried: ${tried}.`));
  }

  #verdict(): PipevineError {
    const { goal } = this.#init;
    if (this.#failures.length === 0) {
      return new PipevineError(
        'unreachable',
        `No address is known for ${goal}. Give one (--seed tcp://host:port), or wait until it is heard on the local network.`,
      );
    }
    const [most] = [...this.#failures].sort((a, b) => rank(a.error.code) - rank(b.error.code));
    const list = this.#failures.slice(0, 3).map(({ address, error }) => `${address}: ${error.message}`);
    const more = this.#failures.length > 3 ? ` (and ${this.#failures.length - 3} more)` : '';
    const code = most === undefined || rank(most.error.code) === TELLING.length ? 'unreachable' : most.error.code;
    return new PipevineError(code, `No link to ${goal}. ${list.join(' ')}${more}`, { cause: most?.error });
  }

  #end(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#startTimer?.cancel();
    this.#deadlineTimer.cancel();
    this.#waiting = [];
    this.#abort.abort();
    return true;
  }
}

function rank(code: ErrorCode): number {
  const at = TELLING.indexOf(code);
  return at === -1 ? TELLING.length : at;
}
