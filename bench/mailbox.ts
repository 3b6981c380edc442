/**
 * A relay's mailbox over SQLite: `node bench/mailbox.ts [--json]`. Prints how many puts and dones it acknowledges a second, each of
 * them durable, when 1, 16 or 64 members wait for one each at a time, and when they put 64 messages in one request; how many
 * commits a sync makes durable; and how long a start with a full mailbox takes. The resolver and the link are left out.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BODY_BYTES, MESSAGES, mailboxRate } from './mailbox-rate.ts';

const directory = mkdtempSync(join(tmpdir(), 'pipevine-mailbox-'));

try {
  const results = [];
  for (const [members, batch] of [
    [1, 1],
    [16, 1],
    [64, 1],
    [4, 64],
  ] as const) {
    results.push(await mailboxRate(directory, members, batch));
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
