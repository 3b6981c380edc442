import { overloaded } from './template-fault.ts';
import type { TemplateLimits } from './template-limits.ts';

/** Characters of text, or items of a list, whose making costs as much as one step. */
const UNITS_PER_STEP = 64;

/** What one rendering may still spend. Everything that loops or allocates in proportion to data asks here first. */
export class Budget {
  readonly limits: TemplateLimits;
  #steps = 0;

  constructor(limits: TemplateLimits) {
    this.limits = limits;
  }

  step(count = 1): void {
    this.#steps += count;
    if (this.#steps > this.limits.maxSteps) {
      throw overloaded(`expected at most ${this.limits.maxSteps} steps, came more: make the template do less`);
    }
  }

  /** Before a string of `length` units is made. */
  reserveText(length: number): void {
    if (!(length <= this.limits.maxTextLength)) {
      throw overloaded(`expected strings of at most ${this.limits.maxTextLength} characters, came ${length}`);
    }
    this.step(1 + Math.floor(length / UNITS_PER_STEP));
  }

  /** Before a list or dictionary of `count` items is made. */
  reserveItems(count: number): void {
    if (!(count <= this.limits.maxItems)) {
      throw overloaded(`expected lists of at most ${this.limits.maxItems} items, came ${count}`);
    }
    this.step(1 + Math.floor(count / UNITS_PER_STEP));
  }

  text(made: string): string {
    this.reserveText(made.length);
    return made;
  }

  items<T>(made: T[]): T[] {
    this.reserveItems(made.length);
    return made;
  }
}
