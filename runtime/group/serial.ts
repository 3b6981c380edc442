import { PipevineError } from '../error/pipevine-error.ts';
import { base32Decode } from '../id/base32.ts';
import { SERIAL_BYTES } from './group-defaults.ts';

/** The 16 bytes of a membership's serial. Throws `invalid-argument`. */
export function serialToBytes(serial: string): Uint8Array {
  const bytes = base32Decode(serial);
  if (bytes?.length === SERIAL_BYTES) return bytes;
  throw new PipevineError(
    'invalid-argument',
    `A serial is ${SERIAL_BYTES} bytes as base32, not "${serial.slice(0, 40)}".`,
  );
}
