import { PipevineError } from './pipevine-error.ts';

/** What `read` gives, or undefined when it refuses: whoever has signed nonsense about itself has said nothing. */
export function wellFormed<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof PipevineError) return undefined;
    throw error;
  }
}
