/** What O_DIRECT asks for: memory, offsets and lengths in multiples of this. No drive in use has larger sectors. */
export const ALIGNMENT_BYTES = 4_096;

const PAGE_BYTES = 64 * 1_024;

/** Zeroed memory that begins at a page, as the memory of WebAssembly does: O_DIRECT without native code. */
export function alignedMemory(bytes: number): Uint8Array<ArrayBuffer> {
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE_BYTES) });
  return new Uint8Array(memory.buffer, 0, bytes);
}

export const alignedLength = (bytes: number): number => Math.ceil(bytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
