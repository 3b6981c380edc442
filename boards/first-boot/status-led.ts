import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The activity LED of a Raspberry Pi: with newer kernels, and with older ones. */
const NAMES = ['ACT', 'led0'];
/** What it shows when nothing else is known: reading and writing of the card. */
const USUAL_TRIGGER = 'mmc0';

export type LedPattern = 'waiting' | 'problem';
const PERIODS_MS: Readonly<Record<LedPattern, number>> = { waiting: 1_000, problem: 125 };

/**
 * Blinks the status LED by the kernel's trigger `timer` (Documentation/leds/leds-class.rst), which goes on by itself. A board
 * without LED or trigger shows nothing.
 */
export class StatusLed {
  readonly #folder: string | undefined;
  #before: string | undefined;
  #shown: LedPattern | undefined;

  constructor(root: string) {
    this.#folder = NAMES.map((name) => join(root, '/sys/class/leds', name)).find((folder) => existsSync(folder));
  }

  show(pattern: LedPattern): void {
    if (this.#shown === pattern) return;
    this.#shown = pattern;
    this.#before ??= this.#trigger();
    const period = String(PERIODS_MS[pattern]);
    if (this.#put('trigger', 'timer') && this.#put('delay_on', period)) this.#put('delay_off', period);
  }

  /** As it was before the first `show`. */
  restore(): void {
    if (this.#before !== undefined) this.#put('trigger', this.#before);
    this.#before = undefined;
    this.#shown = undefined;
  }

  /** The trigger in brackets; when that is still the own one, of a process that was killed, the usual one. */
  #trigger(): string {
    const all = this.#read('trigger');
    const current = /\[(\S+)\]/.exec(all)?.[1] ?? 'none';
    if (current !== 'timer') return current;
    return all.split(/\s+/).includes(USUAL_TRIGGER) ? USUAL_TRIGGER : 'none';
  }

  #read(name: string): string {
    try {
      return this.#folder === undefined ? '' : readFileSync(join(this.#folder, name), 'utf8');
    } catch {
      return '';
    }
  }

  #put(name: string, value: string): boolean {
    try {
      if (this.#folder === undefined) return false;
      writeFileSync(join(this.#folder, name), value);
      return true;
    } catch {
      return false; // a kernel without this trigger
    }
  }
}
