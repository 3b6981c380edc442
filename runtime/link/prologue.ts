import { joinBytes } from '../wire/join-bytes.ts';

const encoder = new TextEncoder();
const PIPE = encoder.encode('pipevine/1 pipe');

/** The prologue of a link's handshake. */
export const LINK_PROLOGUE: Uint8Array = encoder.encode('pipevine/1');

/**
 * The prologue of a pipe's own session: `context` is what both ends must agree on (pipe, target, source, group, name,
 * kind), encoded unambiguously.
 */
export function pipePrologue(context: Uint8Array): Uint8Array {
  return joinBytes([PIPE, context]);
}
