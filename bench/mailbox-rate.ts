import { join } from 'node:path';
import { type Credential, groupIdFromBytes, type PeerId, peerIdFromBytes } from '@pipevine/runtime';
import { encodeMailboxRequest, type MailboxRequest, MailboxServer } from '@pipevine/runtime/protocol';
import { nodeClock, nodeCrypto, nodeRandom, openSqliteStorage } from '@pipevine/transports';

export const MESSAGES = 8_192;
export const BODY_BYTES = 256;
const group = groupIdFromBytes(nodeCrypto.signingKey(new Uint8Array(32).fill(7)).publicKey);
const room = { bytes: 2 ** 30, messages: 1e6 };
const bounds = { total: room, sender: room, recipient: room, pair: room };
const peers = Array.from({ length: 65 }, (_, i) =>
  peerIdFromBytes(nodeCrypto.signingKey(Uint8Array.from([i, ...new Uint8Array(31)])).publicKey),
);
const recipient = peers[64] as PeerId; // The last of 65.

function open(file: string) {
  const storage = openSqliteStorage({ file });
  const startMs = performance.now();
  const resolver = { group, handle: () => ({ close: () => undefined }) };
  const server = new MailboxServer({ resolver, storage, clock: nodeClock, bounds });
  return { storage, server, startMs: performance.now() - startMs };
}

async function ask(server: MailboxServer, remotePeer: PeerId, request: MailboxRequest): Promise<void> {
  const credential: Credential = {
    group,
    subject: remotePeer,
    roles: ['member'],
    capabilities: [],
    notBeforeMs: 0,
    notAfterMs: Number.MAX_SAFE_INTEGER,
    serial: '',
    version: 0,
    encoded: new Uint8Array(0),
  };
  const context = { remotePeer, credential, propagated: false, signal: new AbortController().signal };
  await (server.answer(encodeMailboxRequest(request), context) as Promise<Uint8Array>); // Not a take.
}

/**
 * Puts and takes away MESSAGES at a mailbox over SQLite in `directory`: `members` work at a time, `batch` messages in each of their
 * requests. Gives acknowledged messages a second, how many one sync made durable, and how long the start of a full mailbox took.
 */
export async function mailboxRate(directory: string, members: number, batch: number) {
  const { storage, server } = open(join(directory, `${members}-${batch}.db`));
  const ids = Array.from({ length: MESSAGES }, () => nodeRandom.bytes(16));
  const sealed = nodeRandom.bytes(BODY_BYTES + 300);
  const measure = async (on: typeof storage, request: (ids: Uint8Array[], member: number) => Promise<void>) => {
    const syncsBefore = on.syncCount;
    const startMs = performance.now();
    await Promise.all(
      Array.from({ length: members }, async (_, member) => {
        for (let at = member * batch; at < MESSAGES; at += members * batch) {
          await request(ids.slice(at, at + batch), member);
        }
      }),
    );
    const perSecond = (MESSAGES * 1_000) / (performance.now() - startMs);
    return { perSecond: Math.round(perSecond), perSync: MESSAGES / (on.syncCount - syncsBefore) };
  };
  const put = await measure(storage, (some, member) => {
    const messages = some.map((id) => ({ recipient, id, sealed, lifetimeMs: 1e9, wantsReceipt: false }));
    return ask(server, peers[member] ?? recipient, { type: 'put', messages });
  });
  await server.close();
  await storage.close();
  const again = open(join(directory, `${members}-${batch}.db`));
  const done = await measure(again.storage, (some, member) => {
    const sender = peers[member] ?? recipient;
    return ask(again.server, recipient, {
      type: 'done',
      taken: some.map((id) => ({ sender, id, receipt: undefined })),
    });
  });
  const left = again.server.status()['mailbox messages']?.used;
  if (left !== 0) throw new Error(`Expected an empty mailbox, found ${left} messages.`);
  await again.server.close();
  await again.storage.close();
  return { members, batch, put, done, startMs: again.startMs };
}
