import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WebTlsInit } from '../web-tls.ts';
import { tlsIdentity } from './tls-identity.ts';

/** The test identity as files, for listeners and dials; `remove` takes them away. */
export async function tlsFiles(): Promise<Required<WebTlsInit> & { remove(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'pipevine-tls-'));
  const write = async (name: string, text: string): Promise<string> => {
    const file = join(folder, name);
    await writeFile(file, text);
    return file;
  };
  return {
    certificateFile: await write('cert.pem', tlsIdentity.cert),
    keyFile: await write('key.pem', tlsIdentity.key),
    caFile: await write('ca.pem', tlsIdentity.ca),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
