/**
 * A mailbox at a relay in a process of its own, over SQLite: `node mailbox-relay-process.ts FILE GROUP [COMMIT MOMENT]`. Requests
 * come from the parent process, which says whom they are of, and answers go back to it. With COMMIT it kills itself at its commit
 * of that number: `before` the sync, when all that the turn did is done but that, or `after` it. Run by the kill test.
 */

import type { Storage } from '@pipevine/runtime';
import { nodeClock, openSqliteStorage } from '@pipevine/transports';
import { parseGroupId } from '../../runtime/id/group-id.ts';
import { MailboxServer } from '../../runtime/mailbox/mailbox-server.ts';
import type { ResolverHandler } from '../../runtime/resolver/resolver.ts';
import type { FromRelay, ToRelay } from './mailbox-relay-messages.ts';

const [, , file = '', group = '', lastCommit = '0', moment = 'before'] = process.argv;
const storage = openSqliteStorage({ file });
let commits = 0;
const die = () => process.kill(process.pid, 'SIGKILL');
const dying: Storage = {
  get: (table, key) => storage.get(table, key),
  scan: (table, prefix) => storage.scan(table, prefix),
  close: () => storage.close(),
  commit: (changes) => {
    const isLast = ++commits === Number(lastCommit);
    // Ahead of the storage's own callback, which syncs.
    if (isLast && moment === 'before') setImmediate(die);
    const committed = storage.commit(changes);
    // Ahead of whoever waits for it.
    if (isLast && moment === 'after') committed.then(die, die);
    return committed;
  },
};
let handler: ResolverHandler | undefined;
const localPeer = parseGroupId(group) as unknown as Parameters<ResolverHandler>[1]['localPeer']; // Nobody looks at it here.
new MailboxServer({
  resolver: {
    group: parseGroupId(group),
    handle: (_, given) => {
      handler = given;
      return { close: () => undefined };
    },
  },
  storage: dying,
  clock: nodeClock,
});
const calls = new Map<number, AbortController>();
const send = (message: FromRelay): void => {
  process.send?.(message);
};

async function serve({ call, body, credential }: Extract<ToRelay, { type: 'request' }>): Promise<void> {
  const abort = new AbortController();
  calls.set(call, abort);
  try {
    const remotePeer = credential.subject;
    const context = { group: credential.group, localPeer, remotePeer, credential, propagated: false };
    const answer = handler?.(Uint8Array.from(body), { ...context, signal: abort.signal });
    if (answer === undefined) return;
    for await (const one of Symbol.asyncIterator in answer ? answer : [answer])
      send({ type: 'answer', call, body: one });
    send({ type: 'end', call });
  } catch (error) {
    send({ type: 'failure', call, message: String(error) });
  } finally {
    calls.delete(call);
  }
}

process.on('message', (message: ToRelay) => {
  if (message.type === 'request') void serve(message);
  else calls.get(message.call)?.abort();
});
process.on('disconnect', () => process.exit());
send({ type: 'ready' });
