import { renderUnicodeCompact } from 'uqr';

/** A QR code of the text for a terminal, two modules a character: light on dark, as terminals are, and with its margin. */
export function qrCode(text: string): string {
  return renderUnicodeCompact(text, { ecc: 'L', border: 2 });
}
