import { BoardsError } from '../boards-error.ts';

/** One change of a file system. Paths are absolute, all is root's. A folder above must be there, or come before. */
export type FileChange =
  | { readonly type: 'folder'; readonly path: string; readonly mode: number }
  | {
      readonly type: 'file';
      readonly path: string;
      readonly mode: number;
      readonly content: Uint8Array;
      readonly replaces?: boolean;
    }
  | { readonly type: 'link'; readonly path: string; readonly target: string }
  /** Sets the time of the last change of what is there; seconds since 1970. */
  | { readonly type: 'touch'; readonly path: string; readonly timeSeconds: number };

/** debugfs splits its lines at spaces and knows quotes; what has neither needs none. */
const PLAIN = /^[A-Za-z0-9@._+:~/-]{1,4095}$/;
const MODES = { folder: 0o040000, file: 0o100000 } as const;

/**
 * The command file that makes changes by debugfs(8); the content of the n-th file stands in a file `contentN` of the working
 * folder. Throws `refused` for paths that would not be one word to debugfs.
 */
export function debugfsCommands(changes: readonly FileChange[]): {
  readonly commands: string;
  readonly contents: readonly Uint8Array[];
} {
  const lines: string[] = [];
  const contents: Uint8Array[] = [];
  const own = (path: string, mode: number) =>
    lines.push(`sif ${path} mode 0${mode.toString(8)}`, `sif ${path} uid 0`, `sif ${path} gid 0`);
  for (const change of changes) {
    const path = absolute(change.path);
    if (change.type === 'folder') {
      lines.push(`mkdir ${path}`);
      own(path, MODES.folder | change.mode);
    } else if (change.type === 'file') {
      if (change.replaces) lines.push(`rm ${path}`);
      lines.push(`write content${contents.length} ${path}`);
      own(path, MODES.file | change.mode);
      contents.push(change.content);
    } else if (change.type === 'link') lines.push(`symlink ${path} ${plain(change.target)}`);
    else lines.push(`sif ${path} mtime @${Math.trunc(change.timeSeconds)}`);
  }
  return { commands: lines.map((line) => `${line}\n`).join(''), contents };
}

function plain(word: string): string {
  if (PLAIN.test(word)) return word;
  throw new BoardsError(
    'refused',
    `${JSON.stringify(word.slice(0, 80))} cannot be written into an image; only plain paths can`,
  );
}

function absolute(path: string): string {
  if (path.startsWith('/') && !path.split('/').includes('..')) return plain(path);
  throw new BoardsError(
    'refused',
    `${JSON.stringify(path.slice(0, 80))} cannot be written into an image; expected an absolute path`,
  );
}
