import type { LocalOption } from '../arguments/command-spec.ts';

/** Of every command that takes or prints messages. */
export const BINARY: LocalOption = {
  key: 'binary',
  description: 'messages are frames: 4 bytes of length, then the bytes',
};
