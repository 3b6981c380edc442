/** A password as it is stretched: the same characters are the same bytes whatever keyboard they came from. */
export function passwordBytes(password: string): Uint8Array {
  return new TextEncoder().encode(password.normalize('NFKC'));
}
