/** Whether a title fits a pattern in which `*` stands for any run of characters; letters of either case are alike. Empty: all fit. */
export function titleGlob(pattern: string): (title: string) => boolean {
  const parts = pattern.trim().toLowerCase().split('*');
  const [first = ''] = parts;
  if (parts.length === 1) return first === '' ? () => true : (title) => title.toLowerCase() === first;
  const last = parts.at(-1) ?? '';
  return (title) => {
    const text = title.toLowerCase();
    if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
    const end = text.length - last.length;
    let at = first.length;
    // The earliest place of each part leaves the most room for those that follow.
    for (const part of parts.slice(1, -1)) {
      const found = text.indexOf(part, at);
      if (found === -1 || found + part.length > end) return false;
      at = found + part.length;
    }
    return true;
  };
}
