import { PipevineError } from '@pipevine/runtime';

/** Kinds of pipes that flows send on and hear; requests have nodes of their own. */
export const FLOW_PIPE_KINDS = ['secure', 'reliable', 'unicast', 'propagate'] as const;
export type FlowPipeKind = (typeof FLOW_PIPE_KINDS)[number];

/** Throws `invalid-argument`. Undefined and empty: secure. */
export function flowPipeKind(value: unknown): FlowPipeKind {
  if (value === undefined || value === '') return 'secure';
  const found = FLOW_PIPE_KINDS.find((kind) => kind === value);
  if (found !== undefined) return found;
  throw new PipevineError('invalid-argument', `A pipe is ${FLOW_PIPE_KINDS.join(', ')}; not "${String(value)}".`);
}
