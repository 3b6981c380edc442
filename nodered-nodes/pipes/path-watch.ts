/** A pipe that moves to another link, or whose listener restarts, has a path again by then. */
const AWAY_AFTER_MS = 2_000;
const LOOK_EVERY_MS = 500;

export interface PathWatchInit {
  /** Whether something carries the pipe now. */
  hasPath(): boolean;
  /** It has a path again. */
  onBack(): void;
}

/** Looks at a pipe again and again: nothing tells when it loses its path. */
export class PathWatch {
  readonly #init: PathWatchInit;
  readonly #timer: NodeJS.Timeout;
  #lostMs: number | undefined;

  constructor(init: PathWatchInit) {
    this.#init = init;
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  /** Whether it has had none for so long that what is sent now would wait for who knows how long. */
  get isAway(): boolean {
    if (this.#lostMs !== undefined) this.#look();
    return this.#lostMs !== undefined && performance.now() - this.#lostMs >= AWAY_AFTER_MS;
  }

  end(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    if (!this.#init.hasPath()) {
      this.#lostMs ??= performance.now();
      return;
    }
    if (this.#lostMs === undefined) return;
    this.#lostMs = undefined;
    this.#init.onBack();
  }
}
