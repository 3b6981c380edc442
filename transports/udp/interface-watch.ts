import type { Clock, Timer } from '@pipevine/runtime';
import type { InterfaceTable } from './link-interfaces.ts';

/** How often the interfaces are looked at: no portable notice tells of their changes. */
const POLL_MS = 10_000;

/** Tells when an interface came, went or changed an address. */
export class InterfaceWatch {
  readonly #clock: Clock;
  readonly #read: () => InterfaceTable;
  readonly #onChange: (table: InterfaceTable) => void;
  #known: string;
  #timer: Timer | undefined;

  constructor(
    clock: Clock,
    read: () => InterfaceTable,
    known: InterfaceTable,
    onChange: (table: InterfaceTable) => void,
  ) {
    this.#clock = clock;
    this.#read = read;
    this.#known = JSON.stringify(known);
    this.#onChange = onChange;
    this.#wait();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #wait(): void {
    this.#timer = this.#clock.setTimer(POLL_MS, () => {
      this.#wait();
      const table = this.#read();
      const found = JSON.stringify(table);
      if (found === this.#known) return;
      this.#known = found;
      this.#onChange(table);
    });
  }
}
