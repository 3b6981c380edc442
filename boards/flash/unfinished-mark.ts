import { open } from 'node:fs/promises';

/** What stands at the beginning of a card while it is written: it cannot be booted, and says why. */
export interface UnfinishedMark {
  /** Name of the image file. */
  readonly image: string;
  /** ISO 8601. */
  readonly began: string;
}

const HEAD = 'PIPEVINE UNFINISHED CARD 1\n';
const FOOT = '\nThis card was not written to its end. Flash it again.\n';
const MAX_BYTES = 4_096;
const MAX_NAME_LENGTH = 200;

/** Text, then zeros: nothing that firmware or kernel could take for a partition table. Shorter than 4,096 bytes. */
export function encodeMark({ image, began }: UnfinishedMark): Uint8Array {
  return new TextEncoder().encode(`${HEAD}${JSON.stringify({ image: image.slice(0, MAX_NAME_LENGTH), began })}${FOOT}`);
}

/** Undefined for anything else: these bytes come from any card that somebody plugs in. */
export function decodeMark(bytes: Uint8Array): UnfinishedMark | undefined {
  const text = new TextDecoder().decode(bytes.subarray(0, MAX_BYTES));
  const end = text.indexOf(FOOT);
  if (!text.startsWith(HEAD) || end === -1) return undefined;
  try {
    const { image, began }: Record<string, unknown> = Object(JSON.parse(text.slice(HEAD.length, end)));
    if (typeof image !== 'string' || typeof began !== 'string' || image.length > MAX_NAME_LENGTH) return undefined;
    return Number.isNaN(Date.parse(began)) ? undefined : { image, began: new Date(began).toISOString() };
  } catch {
    return undefined;
  }
}

/** The mark of a drive or file. Undefined without one. Rejects as the file system does, where it cannot be read. */
export async function readMark(path: string): Promise<UnfinishedMark | undefined> {
  const file = await open(path, 'r');
  try {
    const bytes = new Uint8Array(MAX_BYTES);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    return decodeMark(bytes.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
}
