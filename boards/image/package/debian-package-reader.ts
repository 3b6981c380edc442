import { readFile, stat } from 'node:fs/promises';
import { BoardsError } from '../../boards-error.ts';
import type { TarEntry } from '../../debian/tar-archive.ts';
import { arMembers } from './ar-reader.ts';
import { tarEntries } from './tar-reader.ts';
import { unxz } from './unxz.ts';

/** What `pipevine bundle` has packed. */
export interface DebianPackage {
  /** Fields of the control file (deb-control(5)), in their order; of several lines as they stand there. */
  readonly control: ReadonlyMap<string, string>;
  /** What is installed; folders come before what is in them. */
  readonly files: readonly TarEntry[];
  /** md5sums, conffiles and the maintainer's scripts, by name. */
  readonly controlFiles: ReadonlyMap<string, { readonly mode: number; readonly content: Uint8Array }>;
}

/** The largest executable has 110 MB. */
const MAX_PACKED_BYTES = 256 * 2 ** 20;
const MAX_UNPACKED_BYTES = 512 * 2 ** 20;

/** Reads a binary package (deb(5)) of Pipevine. Throws `not-found`, and `refused` for another or a damaged one. */
export async function readDebianPackage(file: string): Promise<DebianPackage> {
  const members = arMembers(await readBounded(file));
  const [control, data] = [members.get('control.tar.xz'), members.get('data.tar.xz')];
  if (control === undefined || data === undefined) {
    throw new BoardsError(
      'refused',
      `${file} holds ${[...members.keys()].join(', ')}; expected a package that \`pipevine bundle\` has made`,
    );
  }
  const controlFiles = new Map(
    tarEntries(await unxz(control, MAX_UNPACKED_BYTES)).flatMap((entry) =>
      entry.type === 'file' ? [[entry.path, entry] as const] : [],
    ),
  );
  const fields = controlFields(Buffer.from(controlFiles.get('control')?.content ?? []).toString('utf8'));
  if (fields.get('Package') !== 'pipevine') {
    throw new BoardsError('refused', `${file} is the package "${fields.get('Package') ?? ''}"; expected pipevine`);
  }
  return { control: fields, files: tarEntries(await unxz(data, MAX_UNPACKED_BYTES)), controlFiles };
}

/** The fields of one stanza of a control file (deb-control(5)). */
export function controlFields(stanza: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  let last = '';
  for (const line of stanza.split('\n')) {
    const [, name, value = ''] = /^([A-Za-z][A-Za-z0-9-]*):[ \t]*(.*)$/.exec(line) ?? [];
    if (name !== undefined) {
      last = name;
      fields.set(name, value);
    } else if (/^[ \t]/.test(line) && last !== '') fields.set(last, `${fields.get(last)}\n${line}`);
  }
  return fields;
}

async function readBounded(file: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(file);
    if (size > MAX_PACKED_BYTES)
      throw new BoardsError(
        'refused',
        `${file} has ${size} bytes; a package of Pipevine has ${MAX_PACKED_BYTES} at most`,
      );
    return await readFile(file);
  } catch (error) {
    if (error instanceof BoardsError) throw error;
    throw new BoardsError('not-found', `the package ${file} cannot be read (${Object(error).code})`, { cause: error });
  }
}
