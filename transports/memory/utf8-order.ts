/**
 * Compares by the UTF-8 bytes of the texts, as SQLite does: by code point, where JavaScript's `<` compares UTF-16 units
 * and so puts U+10000 before U+FFFF.
 */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return isSurrogate(x) === isSurrogate(y) ? x - y : isSurrogate(x) ? 1 : -1;
  }
  return a.length - b.length;
}

/** Half of a code point beyond U+FFFF, which is above every other unit whatever its number. */
function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}
