import type { OverlayReport } from '../admin/overlay-report.ts';

/** After an error, and while there is no peer, ms. */
const RETRY_MS = 5_000;
/** Between two answers at least, ms, whatever the server does. */
const PAUSE_MS = 300;

export interface OverlayFollowInit {
  /** Id of the peer's config node. */
  readonly peer: string;
  readonly onReport: (report: OverlayReport) => void;
  /** `status` of HTTP, and what the server says of it. */
  readonly onError: (status: number, message: string) => void;
}

/** Asks `pipevine/PEER/overlay` again and again, each time waiting for something new, while it is not paused. */
export class OverlayFollow {
  readonly #init: OverlayFollowInit;
  #generation: number | undefined;
  #request: JQuery.jqXHR | undefined;
  #timer: number | undefined;
  #running = false;

  constructor(init: OverlayFollowInit) {
    this.#init = init;
  }

  /** Goes on from where it is. */
  run(): void {
    if (this.#running) return;
    this.#running = true;
    this.#ask();
  }

  /** Forgets what it knows and asks at once. */
  refresh(): void {
    this.pause();
    this.#generation = undefined;
    this.run();
  }

  pause(): void {
    this.#running = false;
    window.clearTimeout(this.#timer);
    this.#request?.abort();
    this.#request = undefined;
  }

  #ask(): void {
    const since = this.#generation === undefined ? '' : `?since=${this.#generation}`;
    const request = $.getJSON(`pipevine/${encodeURIComponent(this.#init.peer)}/overlay${since}`);
    this.#request = request;
    request.then(
      (answer: OverlayReport | { readonly generation: number }) => {
        if (this.#request !== request) return;
        this.#generation = answer.generation;
        this.#again('phase' in answer && answer.phase === 'absent' ? RETRY_MS : PAUSE_MS);
        if ('things' in answer) this.#init.onReport(answer);
      },
      (failure: JQuery.jqXHR) => {
        if (this.#request !== request) return;
        this.#generation = undefined;
        this.#again(RETRY_MS);
        const { message = '' } = (failure.responseJSON ?? {}) as { readonly message?: string };
        this.#init.onError(failure.status, message);
      },
    );
  }

  #again(delayMs: number): void {
    if (this.#running) this.#timer = window.setTimeout(() => this.#ask(), delayMs);
  }
}
