import type { ErrorCode, PipevineError } from '@pipevine/runtime';
import type { Node } from '../node/red.ts';
import type { NodeStatus } from '../node/status.ts';

/** What another attempt will not change: a catch node is told. The rest is a warning. */
const LASTING: ReadonlySet<ErrorCode> = new Set(['invalid-argument', 'unsupported', 'refused', 'revoked']);

export interface ReportedTrouble {
  report(error: PipevineError): void;
  /** It goes well again. */
  over(): void;
}

/** Trouble of work that tries again by itself: in the status at once, and told once for each kind until it is over. */
export function reportedTrouble({
  node,
  status,
}: {
  readonly node: Node;
  readonly status: NodeStatus;
}): ReportedTrouble {
  const told = new Set<ErrorCode>();
  return {
    report: (error) => {
      status.failed(error);
      if (told.has(error.code)) return;
      told.add(error.code);
      if (LASTING.has(error.code)) node.error(error, {});
      else node.warn(`${error.message} (${error.code})`);
    },
    over: () => {
      told.clear();
      status.succeeded();
    },
  };
}
