/** One entry of a tar archive; `path` is relative, without a leading `./`, a folder's ends with a slash. */
export type TarEntry =
  | { readonly type: 'file'; readonly path: string; readonly mode: number; readonly content: Uint8Array }
  | { readonly type: 'folder'; readonly path: string; readonly mode: number }
  | { readonly type: 'link'; readonly path: string; readonly target: string };

const BLOCK_BYTES = 512;
const TYPE_FLAGS = { file: '0', folder: '5', link: '2' } as const;

/** A tar archive (POSIX.1-1988 ustar), all owned by root and of one time (seconds since 1970): the same entries give the same bytes. */
export function tarArchive(entries: readonly TarEntry[], timeSeconds: number): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const entry of entries) {
    const content = entry.type === 'file' ? entry.content : new Uint8Array();
    parts.push(
      headerOf(entry, content.length, timeSeconds),
      content,
      new Uint8Array(-content.length & (BLOCK_BYTES - 1)),
    );
  }
  parts.push(new Uint8Array(2 * BLOCK_BYTES));
  return Buffer.concat(parts);
}

function headerOf(entry: TarEntry, size: number, timeSeconds: number): Uint8Array {
  const header = new Uint8Array(BLOCK_BYTES);
  const put = (at: number, length: number, text: string) => {
    const bytes = new TextEncoder().encode(text);
    if (bytes.length > length)
      throw new Error(`"${text}" is longer than the ${length} bytes that a tar header has for it`);
    header.set(bytes, at);
  };
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0');
  put(0, 100, `./${entry.path}`);
  put(100, 8, octal(entry.type === 'link' ? 0o777 : entry.mode, 7));
  put(108, 8, octal(0, 7));
  put(116, 8, octal(0, 7));
  put(124, 12, octal(size, 11));
  put(136, 12, octal(timeSeconds, 11));
  put(148, 8, ' '.repeat(8));
  put(156, 1, TYPE_FLAGS[entry.type]);
  put(157, 100, entry.type === 'link' ? entry.target : '');
  put(257, 8, 'ustar\x0000');
  put(265, 32, 'root');
  put(297, 32, 'root');
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(148, 8, `${octal(sum, 6)}\0 `);
  return header;
}
