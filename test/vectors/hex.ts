export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Throws for anything but hex of whole bytes. */
export function fromHex(text: unknown): Uint8Array {
  if (typeof text !== 'string' || !/^(?:[0-9a-f]{2})*$/.test(text))
    throw new Error(`Expected hex, found ${String(text)}`);
  return Uint8Array.from(Buffer.from(text, 'hex'));
}
