/** A type that no frame has, now or later: whoever reads it skips it, as all frames that it does not know. */
const PADDING_TYPE = 23;

const MIN_BYTES = 5 + 256;

/**
 * A frame of exactly so many bytes, 261 to 65,535, that says nothing: the array of its type and a byte string. It fills
 * a packet that is to show whether its size arrives.
 */
export function paddingFrame(bytes: number): Uint8Array {
  const frame = new Uint8Array(bytes);
  if (bytes < MIN_BYTES) throw new RangeError(`A padding frame has at least ${MIN_BYTES} bytes, not ${bytes}.`);
  frame.set([0x82, PADDING_TYPE, 0x59, (bytes - 5) >>> 8, (bytes - 5) & 0xff]);
  return frame;
}
