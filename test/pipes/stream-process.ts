import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPeer, type Peer, parsePeerId } from '@pipevine/runtime';
import { nodePlatform } from '@pipevine/transports';
import { receiveStream } from '../../runtime/pipe/receive-stream.ts';
import { sendStream } from '../../runtime/pipe/send-stream.ts';

/** How to reach the receiver. */
export interface ReceiverReady {
  readonly address: string;
  readonly code: string;
  readonly peer: string;
}

export interface StreamOutcome {
  readonly bytes: number;
  readonly sha256: string;
  readonly elapsedMs: number;
  /** Resident memory after the first tenth of the stream, and at most from there on. */
  readonly settledBytes: number;
  readonly peakBytes: number;
}

const BLOCK_BYTES = 1_048_576;

/** Follows a stream: what it was, and what it cost. */
class Account {
  readonly #total: number;
  readonly #hash = createHash('sha256');
  readonly #startedMs = performance.now();
  #bytes = 0;
  #settledBytes = 0;
  #peakBytes = 0;
  #lookedAt = 0;

  constructor(total: number) {
    this.#total = total;
  }

  add(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes - this.#lookedAt < 4 * BLOCK_BYTES) return;
    this.#lookedAt = this.#bytes;
    const rss = process.memoryUsage.rss();
    if (this.#bytes * 10 < this.#total) this.#settledBytes = Math.max(this.#settledBytes, rss);
    this.#peakBytes = Math.max(this.#peakBytes, rss);
  }

  outcome(): StreamOutcome {
    return {
      bytes: this.#bytes,
      sha256: this.#hash.digest('hex'),
      elapsedMs: performance.now() - this.#startedMs,
      settledBytes: this.#settledBytes,
      peakBytes: this.#peakBytes,
    };
  }
}

async function temporaryPeer(name: string, listen: readonly string[]): Promise<Peer> {
  const folder = mkdtempSync(join(tmpdir(), 'pipevine-stream-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const platform = await nodePlatform({ storage: join(folder, 'pipevine.db') });
  return createPeer({ platform, name, seed: platform.random.bytes(32), listen });
}

function tell(message: object): void {
  process.send?.(message);
}

async function receive(total: number): Promise<void> {
  const peer = await temporaryPeer('receiver', ['tcp://127.0.0.1:0']);
  const group = await peer.createGroup({ name: 'streams' });
  group.listen({ name: 'stream' }, async (pipe) => {
    const account = new Account(total);
    for await (const chunk of receiveStream(pipe)) account.add(chunk);
    tell(account.outcome());
  });
  const code = await peer.invite(group.id, {});
  tell({ address: peer.addresses[0] ?? '', code, peer: peer.id } satisfies ReceiverReady);
}

async function send(total: number, receiver: ReceiverReady): Promise<void> {
  const peer = await temporaryPeer('sender', []);
  const group = await peer.join(receiver.code, { addresses: [receiver.address] });
  const pipe = await group.connect({ peer: parsePeerId(receiver.peer), name: 'stream', priority: 'bulk' });
  const account = new Account(total);
  async function* source(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < total; at += BLOCK_BYTES) {
      const block = new Uint8Array(Math.min(BLOCK_BYTES, total - at));
      for (let i = 0; i < block.length; i += 4_096) block[i] = (at / BLOCK_BYTES + i / 4_096) & 0xff;
      account.add(block);
      yield block;
    }
  }
  await sendStream(pipe, source());
  tell(account.outcome());
}

// The test has ended, however it did.
process.on('disconnect', () => process.exit());
const [role = '', total = '0', receiver = '{}'] = process.argv.slice(2);
// What the test hands over is what the receiver told it.
await (role === 'receive' ? receive(Number(total)) : send(Number(total), JSON.parse(receiver) as ReceiverReady));
