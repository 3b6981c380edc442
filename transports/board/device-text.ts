/** Longest text of a device that is passed on. */
const MAX_CHARACTERS = 128;

/** What a device or the firmware says of itself, fit to be shown: one line without control characters; undefined when empty. */
export function deviceText(text: string | undefined): string | undefined {
  const shown = text
    ?.replace(/[\p{C}\p{Z}]+/gu, ' ')
    .trim()
    .slice(0, MAX_CHARACTERS);
  return shown === '' ? undefined : shown;
}
