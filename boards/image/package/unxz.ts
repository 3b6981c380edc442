import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { BoardsError } from '../../boards-error.ts';

/** Unpacks by the xz command. Throws `refused` for what is damaged or has more than `maxBytes` unpacked. */
export async function unxz(packed: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  const child = spawn('xz', ['--decompress', '--stdout', '--quiet'], { stdio: ['pipe', 'pipe', 'ignore'] });
  const closed = once(child, 'close');
  closed.catch(() => {});
  child.stdin.on('error', () => {
    // xz ended early; its exit code says so below.
  });
  child.stdin.end(packed);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of child.stdout) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > maxBytes) throw damaged(`it has more than ${maxBytes} bytes unpacked`);
    }
    const [code]: (number | null)[] = await closed;
    if (code !== 0) throw damaged('xz finds it damaged');
    return Buffer.concat(chunks);
  } finally {
    child.kill('SIGKILL');
    await closed.catch(() => {});
  }
}

const damaged = (fault: string) => new BoardsError('refused', `the package cannot be unpacked: ${fault}`);
