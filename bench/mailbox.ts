/**
 * A relay's mailbox over SQLite: `node bench/mailbox.ts [--json]`. Prints how many puts and dones it acknowledges a second, each of
 * them durable, when 1, 16 or 64 members wait for one each at a time, and when they put 64 messages in one request; how many
 * commits a sync makes durable; and how long a start with a full mailbox takes. The resolver and the link are left out.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Credential } from '../runtime/group/group-access.ts';
import { groupIdFromBytes } from '../runtime/id/group-id.ts';
import { type PeerId, peerIdFromBytes } from '../runtime/id/peer-id.ts';
import { encodeMailboxRequest, type MailboxRequest } from '../runtime/mailbox/mailbox-codec.ts';
import { MailboxServer } from '../runtime/mailbox/mailbox-server.ts';
import { nodeClock, nodeCrypto, nodeRandom, openSqliteStorage } from '../transports/index.ts';

const MESSAGES = 8_192;
const BODY_BYTES = 256;
const group = groupIdFromBytes(nodeCrypto.signingKey(new Uint8Array(32).fill(7)).publicKey);
const directory = mkdtempSync(join(tmpdir(), 'pipevine-mailbox-'));
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

/** `members` work at a time, `batch` messages in each of their requests; gives acknowledged messages a second. */
async function rate(members: number, batch: number) {
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

try {
  const results = [];
  for (const [members, batch] of [
    [1, 1],
    [16, 1],
    [64, 1],
    [4, 64],
  ] as const) {
    results.push(await rate(members, batch));
  }
  if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify(results)}\n`);
  else {
    process.stdout.write(`Aim: 2,000 acknowledgements a second. ${MESSAGES} messages of ${BODY_BYTES} bytes each.\n`);
    for (const { members, batch, put, done, startMs } of results) {
      const figures = [put, done].map(({ perSecond, perSync }) => `${perSecond}/s (${perSync.toFixed(1)} a sync)`);
      process.stdout.write(
        `${members} members, ${batch} a request: put ${figures[0]}, done ${figures[1]}, start ${startMs.toFixed(0)} ms\n`,
      );
    }
  }
} finally {
  rmSync(directory, { recursive: true });
}
