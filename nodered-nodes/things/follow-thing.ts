import type { PeerGroup, PipevineError, ThingSummary } from '@pipevine/runtime';
import { pipevineFailure } from '../node/pipevine-failure.ts';
import { pause } from './pause.ts';
import { type DirectoryChange, openThingDirectory, type ThingDirectory } from './thing-directory.ts';
import { untilAborted } from './until-aborted.ts';

const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 30_000;

/** Why there is no thing to follow now. */
export type Absence = 'searching' | 'gone' | 'ambiguous';

export interface FollowThingInit {
  readonly group: PeerGroup;
  /** Id or title. */
  readonly text: string;
  readonly signal: AbortSignal;
  /** What the work depends on: when it changes, the work begins anew. */
  concern(thing: ThingSummary): unknown;
  /** Runs while the thing is there; tried again, with back-off, when it rejects. */
  work(thing: ThingSummary, signal: AbortSignal): Promise<void>;
  /** The thing is there, or has another availability. */
  onThing(thing: ThingSummary): void;
  onAbsent(absence: Absence): void;
  /** Another attempt follows by itself, at the latest when the thing changes. */
  onTrouble(error: PipevineError): void;
}

interface Following {
  readonly id: string;
  readonly concern: string;
  readonly abort: AbortController;
}

/** Works with the thing that a text names for as long as it is there; comes back to it, or to the one that has its name then. */
export async function followThing(init: FollowThingInit): Promise<void> {
  const { directory, release } = openThingDirectory(init.group);
  try {
    await follow(init, directory);
  } finally {
    release();
  }
}

async function follow(init: FollowThingInit, directory: ThingDirectory): Promise<void> {
  const { text, signal } = init;
  const running = new Set<Promise<void>>();
  let current: Following | undefined;
  const stop = () => {
    current?.abort.abort();
    current = undefined;
  };
  const look = (change?: DirectoryChange) => {
    if (
      change !== undefined &&
      change.thing.id !== current?.id &&
      change.thing.id !== text &&
      change.thing.title !== text
    ) {
      return;
    }
    const [thing, another] = directory.matches(text);
    if (thing === undefined || another !== undefined) {
      stop();
      init.onAbsent(another !== undefined ? 'ambiguous' : directory.settled ? 'gone' : 'searching');
      return;
    }
    const concern = JSON.stringify(init.concern(thing) ?? null);
    init.onThing(thing);
    if (current?.id === thing.id && current.concern === concern) return;
    stop();
    const abort = new AbortController();
    current = { id: thing.id, concern, abort };
    const attempt = attempts(init, thing, abort.signal);
    running.add(attempt);
    void attempt.finally(() => running.delete(attempt));
  };
  const unfollow = directory.follow(look);
  look();
  await untilAborted(signal);
  unfollow();
  stop();
  await Promise.all(running);
}

/** Never rejects. */
async function attempts(init: FollowThingInit, thing: ThingSummary, signal: AbortSignal): Promise<void> {
  let delayMs = FIRST_RETRY_MS;
  while (!signal.aborted) {
    try {
      await init.work(thing, signal);
      return;
    } catch (error) {
      if (signal.aborted) return;
      init.onTrouble(pipevineFailure(error));
    }
    await pause(delayMs * (0.5 + Math.random() / 2), signal);
    delayMs = Math.min(MAX_RETRY_MS, delayMs * 2);
  }
}
