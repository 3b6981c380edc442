import type { Clock, Timer } from '@pipevine/runtime';
import type { SimulationResult } from './simulation.ts';

/** One run of one scenario. */
export interface SeedTask {
  readonly scenario: string;
  readonly seed: number;
}

export type SeedOutcome = SeedTask & { readonly realMs: number } & (
    | { readonly result: SimulationResult }
    | { readonly failure: string }
  );

/** What runs tasks one after another, elsewhere: a process. */
export interface SeedRunner {
  run(task: SeedTask): void;
  /** Ends it, whatever it does. */
  kill(): void;
}

export interface RunnerEvents {
  onOutcome(outcome: SeedOutcome): void;
  /** It ended by itself; `reason` is for people. */
  onEnded(reason: string): void;
}

export interface SeedPoolInit {
  readonly tasks: readonly SeedTask[];
  /** Runners at the same time. */
  readonly jobs: number;
  /** A task that takes longer counts as hung: its runner is killed. */
  readonly limitMs: number;
  readonly clock: Clock;
  start(events: RunnerEvents): SeedRunner;
  onOutcome(outcome: SeedOutcome): void;
}

interface Place {
  readonly runner: SeedRunner;
  task: SeedTask | undefined;
  startedAtMs: number;
  limit: Timer | undefined;
}

/**
 * Deals tasks to a few runners, one at a time each, so that all are busy to the end. Every task has exactly one outcome:
 * that of a runner that hangs or dies is a failure, and another runner takes its place.
 */
export class SeedPool {
  readonly #init: SeedPoolInit;
  readonly #places = new Set<Place>();
  readonly #done = Promise.withResolvers<void>();
  #next = 0;

  constructor(init: SeedPoolInit) {
    this.#init = init;
  }

  /** Resolves when every task has had its outcome and no runner is left. */
  run(): Promise<void> {
    for (let i = 0; i < this.#init.jobs; i++) this.#fill();
    this.#finishIfIdle();
    return this.#done.promise;
  }

  /** Starts a runner if there is something for it. */
  #fill(): void {
    if (this.#next >= this.#init.tasks.length) return;
    const runner = this.#init.start({
      onOutcome: (outcome) => this.#onOutcome(place, outcome),
      onEnded: (reason) => this.#replace(place, reason),
    });
    const place: Place = { runner, task: undefined, startedAtMs: 0, limit: undefined };
    this.#places.add(place);
    this.#deal(place);
  }

  #deal(place: Place): void {
    const { tasks, clock, limitMs } = this.#init;
    const task = tasks[this.#next];
    if (task === undefined) {
      this.#remove(place);
      place.runner.kill();
      return;
    }
    this.#next++;
    place.task = task;
    place.startedAtMs = clock.monotonicMs();
    place.limit = clock.setTimer(limitMs, () => {
      place.runner.kill();
      this.#replace(place, `It had not ended after ${limitMs / 1000} s and was killed.`);
    });
    place.runner.run(task);
  }

  #onOutcome(place: Place, outcome: SeedOutcome): void {
    const { task } = place;
    if (!this.#places.has(place) || outcome.seed !== task?.seed || outcome.scenario !== task.scenario) return;
    place.limit?.cancel();
    place.task = undefined;
    this.#init.onOutcome(outcome);
    this.#deal(place);
  }

  #replace(place: Place, failure: string): void {
    if (!this.#places.has(place)) return;
    const { task, startedAtMs } = place;
    this.#remove(place);
    if (task !== undefined) {
      this.#init.onOutcome({ ...task, failure, realMs: this.#init.clock.monotonicMs() - startedAtMs });
    }
    this.#fill();
    this.#finishIfIdle();
  }

  #remove(place: Place): void {
    place.limit?.cancel();
    this.#places.delete(place);
    this.#finishIfIdle();
  }

  #finishIfIdle(): void {
    if (this.#places.size === 0 && this.#next >= this.#init.tasks.length) this.#done.resolve();
  }
}
