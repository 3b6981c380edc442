import type { PipevineError } from '@pipevine/runtime';
import type { SessionState } from '../peer/overlay-session.ts';
import type { Node, NodeAPI, NodeStatus as Shown } from './red.ts';

export type StatusFill = 'green' | 'yellow' | 'red' | 'grey' | 'blue';

/** Where the editor shows it; a Status node gets each. */
const MAX_CHARACTERS = 20;
/** At most five a second: each goes to every open editor. */
const INTERVAL_MS = 200;

/** Texts that all nodes share, in the catalogue of `pipevine-peer`. */
const SHARED = '@pipevine/node-red/pipevine-peer:status.';
export type SharedStatus =
  | 'starting'
  | 'joining'
  | 'online'
  | 'alone'
  | 'failed'
  | 'closed'
  | 'no-peer'
  | 'busy'
  | 'waiting'
  | 'dropped'
  | 'error';
export const sharedStatus = (name: SharedStatus): string => `${SHARED}${name}`;

/** How its peer's phases look. Online is what the node itself says. */
const PHASES: Readonly<Record<Exclude<SessionState['phase'], 'online'>, Shown>> = {
  starting: { fill: 'grey', shape: 'ring', text: sharedStatus('starting') },
  joining: { fill: 'yellow', shape: 'ring', text: sharedStatus('joining') },
  alone: { fill: 'yellow', shape: 'dot', text: sharedStatus('alone') },
  failed: { fill: 'red', shape: 'ring', text: sharedStatus('failed') },
  closed: { fill: 'grey', shape: 'ring', text: sharedStatus('closed') },
};

/**
 * What a node shows below itself. The last error covers the state of its peer, unless that is online; this covers what the node
 * says that it does, at first that it is online.
 */
export interface NodeStatus {
  /**
   * What the node is doing. `text` is a key of the catalogue (`@pipevine/node-red/TYPE:status.x`, translated by the editor),
   * or, with `values`, one that is translated here because numbers go into it.
   */
  set(fill: StatusFill, shape: 'dot' | 'ring', text: string, values?: Readonly<Record<string, string | number>>): void;
  /** A text that is no key, such as a value. Shortened. */
  text(fill: StatusFill, shape: 'dot' | 'ring', text: string): void;
  /** Shows its code, the same in every language and as in `msg.error.code`. Covers all else, until `succeeded`. */
  failed(error: PipevineError): void;
  /** A message went well: what `set` says is shown again. */
  succeeded(): void;
  /** Messages that wait or were dropped, by a shared text with a number; covers all but an error, until undefined. */
  backlog(text: SharedStatus | undefined, count?: number): void;
  /** What its peer is at. */
  session(state: SessionState): void;
  /** No status is sent any more. */
  close(): void;
}

export function nodeStatus(RED: NodeAPI, node: Node): NodeStatus {
  let base: Shown = { fill: 'green', shape: 'dot', text: sharedStatus('online') };
  let session: Shown | undefined;
  let backlog: Shown | undefined;
  let error: Shown | undefined;
  let timer: NodeJS.Timeout | undefined;
  let sent = '';
  let closed = false;
  const top = () => error ?? backlog ?? session ?? base;
  const flush = () => {
    const next = top();
    const key = JSON.stringify(next);
    if (key === sent) return;
    sent = key;
    node.status(next);
  };
  const show = () => {
    if (closed || timer !== undefined) return;
    flush();
    timer = setTimeout(() => {
      timer = undefined;
      if (!closed && JSON.stringify(top()) !== sent) show();
    }, INTERVAL_MS);
    timer.unref();
  };
  return {
    set(fill, shape, text, values) {
      base = { fill, shape, text: values === undefined ? text : shortened(RED._(text, { ...values })) };
      show();
    },
    text(fill, shape, text) {
      base = { fill, shape, text: shortened(text) };
      show();
    },
    failed({ code }) {
      error = { fill: 'red', shape: 'ring', text: code };
      show();
    },
    succeeded() {
      if (error === undefined) return;
      error = undefined;
      show();
    },
    backlog(text, count = 0) {
      backlog =
        text === undefined
          ? undefined
          : { fill: 'yellow', shape: 'dot', text: shortened(RED._(sharedStatus(text), { count })) };
      show();
    },
    session({ phase }) {
      session = phase === 'online' ? undefined : PHASES[phase];
      show();
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

function shortened(text: string): string {
  const [line = ''] = text.split('\n', 1);
  const characters = [...line];
  return characters.length < MAX_CHARACTERS ? line : `${characters.slice(0, MAX_CHARACTERS - 2).join('')}…`;
}
