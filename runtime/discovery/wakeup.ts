/** Lets one waiter sleep until it is woken. A wake that comes before the wait is not lost. */
export class Wakeup {
  #resolve: (() => void) | undefined;
  #woken = false;

  /** Bound, so that it can be a listener. */
  readonly wake = (): void => {
    this.#woken = true;
    this.#resolve?.();
  };

  /** Resolves at once when it was woken since the last wait. */
  async wait(): Promise<void> {
    if (!this.#woken) {
      await new Promise<void>((resolve) => {
        this.#resolve = resolve;
      });
    }
    this.#resolve = undefined;
    this.#woken = false;
  }
}
