import { PipevineError } from '../error/pipevine-error.ts';
import type { Capability } from '../group/capability.ts';
import { type GroupId, shortGroupId } from '../id/group-id.ts';
import type { ListenInit, Pipe, PipeKind, PipeListener, PipePriority } from './pipe.ts';
import { MAX_NAME_BYTES } from './pipe-defaults.ts';

/** One name under which pipes are accepted. */
export interface Listener {
  readonly kinds: readonly PipeKind[] | undefined;
  readonly capability: Capability | undefined;
  readonly priority: PipePriority | undefined;
  readonly onPipe: (pipe: Pipe) => void;
}

/** The names under which this process accepts pipes. */
export class Listeners {
  readonly #listeners = new Map<string, Listener>();

  get size(): number {
    return this.#listeners.size;
  }

  /** Throws `busy` when the name is taken in that group and scope, `invalid-argument` when it is no name. */
  add(init: ListenInit, onPipe: (pipe: Pipe) => void): PipeListener {
    requirePipeName(init.name);
    const scope = init.scope ?? 'own';
    const key = keyOf(scope, init.group, init.name);
    if (this.#listeners.has(key)) {
      throw new PipevineError(
        'busy',
        `Somebody listens for "${init.name}" in group ${shortGroupId(init.group)} already (scope ${scope}); close that listener first.`,
      );
    }
    const listener: Listener = { kinds: init.kinds, capability: init.capability, priority: init.priority, onPipe };
    this.#listeners.set(key, listener);
    return {
      close: () => {
        if (this.#listeners.get(key) === listener) this.#listeners.delete(key);
      },
    };
  }

  find(scope: 'own' | 'hosted', group: GroupId, name: string): Listener | undefined {
    return this.#listeners.get(keyOf(scope, group, name));
  }
}

/** Throws `invalid-argument` unless `name` can name a pipe. */
export function requirePipeName(name: string): void {
  const bytes = new TextEncoder().encode(name).length;
  if (bytes === 0 || bytes > MAX_NAME_BYTES || !name.isWellFormed()) {
    throw new PipevineError(
      'invalid-argument',
      `A pipe's name has 1 to ${MAX_NAME_BYTES} bytes of UTF-8, not ${bytes}.`,
    );
  }
}

function keyOf(scope: string, group: GroupId, name: string): string {
  return `${scope} ${group} ${name}`;
}
