/** Text of others, for a terminal: control characters, which could rewrite the screen, become visible. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '\u{fffd}');
}

/** The same of several lines, whose ends stay. */
export const printableLines = (text: string): string => text.split('\n').map(printable).join('\n');

/** One line of JSON. What JSON leaves as it is and a terminal obeys is escaped: the value stays the same. */
export const printableJson = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
