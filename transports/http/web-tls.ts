import { readFile } from 'node:fs/promises';
import { PipevineError } from '@pipevine/runtime';

/** Files (PEM) for schemes over TLS. */
export interface WebTlsInit {
  /** The certificate of this peer's listeners, with the chain that leads to its authority. */
  readonly certificateFile?: string;
  /** The key of that certificate. */
  readonly keyFile?: string;
  /** Authorities that a dial trusts in place of the system's. Default: the system's. */
  readonly caFile?: string;
}

/** Reads the certificate and key of a listener. Throws `invalid-argument` where there is none. */
export async function readServerIdentity(tls: WebTlsInit, scheme: string): Promise<{ cert: string; key: string }> {
  if (tls.certificateFile === undefined || tls.keyFile === undefined) {
    throw new PipevineError(
      'invalid-argument',
      `Listening on ${scheme}:// takes a certificate and its key, and none is configured.`,
    );
  }
  return { cert: await readPem(tls.certificateFile), key: await readPem(tls.keyFile) };
}

/** The authorities for a dial, or undefined for the system's. */
export async function readAuthorities(tls: WebTlsInit): Promise<string | undefined> {
  return tls.caFile === undefined ? undefined : await readPem(tls.caFile);
}

async function readPem(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new PipevineError('invalid-argument', `The TLS file ${file} cannot be read: ${String(cause)}.`, { cause });
  }
}
