import {
  type Destination,
  type Drive,
  driveFault,
  findDestination,
  listDrives,
  unfinishedMark,
} from '@pipevine/boards';
import { PipevineError } from '@pipevine/runtime';
import { type Arguments, isOn } from '../arguments/command-spec.ts';
import { humanBytes } from '../output/bytes.ts';
import { printable } from '../output/printable.ts';
import { table } from '../output/table.ts';
import type { CommandContext } from './command-context.ts';

const NO_DRIVES = 'no card or USB drive is plugged in; put one in and run the command again';

interface ListedDrive extends Drive {
  /** Why it cannot be written to; null where it can. */
  readonly fault: string | null;
  /** Of a flashing that was not finished; null without one, and where the drive may not be read. */
  readonly unfinished: { readonly image: string; readonly began: string } | null;
}

/** Prints what can be flashed: what people plug in. */
export async function printDrives({ output }: CommandContext): Promise<void> {
  const drives = await removableDrives();
  if (output.json) for (const drive of drives) output.value(drive, () => '');
  else output.line(drives.length === 0 ? NO_DRIVES : driveTable(drives));
}

/** What was named, or chosen at the terminal, and confirmed there. */
export async function chooseDestination(context: CommandContext, local: Arguments['local']): Promise<Destination> {
  const fixed = local['fixed-disk']?.[0];
  const named = fixed ?? local.device?.[0];
  if (fixed !== undefined && local.device !== undefined) usage('give one of --device and --fixed-disk');
  if (!context.input.interactive && (named === undefined || !isOn(local, 'yes'))) {
    usage(
      '"flash" needs --device DEVICE and --yes here, where nobody can be asked; pipevine flash --list shows the drives',
    );
  }
  const destination = await findDestination(named ?? (await chooseDrive(context)), fixed !== undefined);
  if (!isOn(local, 'yes')) await confirm(context, destination);
  return destination;
}

async function chooseDrive({ input, output }: CommandContext): Promise<string> {
  const drives = await removableDrives();
  if (drives.length === 0) throw new PipevineError('not-found', NO_DRIVES);
  const ready = drives.filter(({ fault }) => fault === null);
  output.line(driveTable(drives));
  if (ready.length === 0) throw new PipevineError('refused', drives[0]?.fault ?? NO_DRIVES);
  const answer = (await input.ask(`Which one shall be overwritten? [${ready.map(shortName).join(', ')}] `)).trim();
  const chosen = ready.find((drive) => answer === shortName(drive) || answer === drive.path);
  return chosen?.path ?? usage(`"${printable(answer)}" is none of them; nothing was done`);
}

async function confirm({ input, output }: CommandContext, { path, drive, fileBytes }: Destination): Promise<void> {
  if (drive === undefined && fileBytes === undefined) return; // a new file: nothing is lost
  output.line(drive === undefined ? `${path}: a file of ${humanBytes(fileBytes)}` : driveText(drive));
  const name = path.slice(path.lastIndexOf('/') + 1);
  const answer = (await input.ask(`All of it will be lost. Type ${name} to go on: `)).trim();
  if (answer !== name && answer !== path && answer !== 'y') throw new PipevineError('refused', 'nothing was written');
}

async function removableDrives(): Promise<readonly ListedDrive[]> {
  const drives = listDrives().filter(({ isRemovable }) => isRemovable);
  return Promise.all(
    drives.map(async (drive) => ({
      ...drive,
      fault: driveFault(drive, false) ?? null,
      // Who may not read it gets the rest of the list all the same.
      unfinished: (await unfinishedMark(drive.path).catch(() => undefined)) ?? null,
    })),
  );
}

function driveTable(drives: readonly ListedDrive[]): string {
  const rows = drives.map((drive) => [
    drive.path,
    humanSize(drive.bytes),
    drive.model || '-',
    contents(drive),
    state(drive),
  ]);
  return table(
    ['DRIVE', 'SIZE', 'MODEL', 'CONTENTS', 'STATE'],
    rows.map((row) => row.map(printable)),
  );
}

function driveText(drive: Drive): string {
  return printable(`${drive.path}: ${drive.model || 'no name'}, ${humanSize(drive.bytes)}, on it: ${contents(drive)}`);
}

function contents({ partitions }: Drive): string {
  const named = partitions.map(({ bytes, label, fileSystem }) => `${label || fileSystem || '?'} ${humanSize(bytes)}`);
  return named.slice(0, 4).join(', ') + (named.length > 4 ? ', ...' : '') || 'no partitions';
}

function state({ fault, unfinished, uses }: ListedDrive): string {
  if (unfinished !== null) return `not finished: ${unfinished.image}, ${unfinished.began}`;
  if (fault === null) return 'ready';
  const mount = uses.find(({ kind }) => kind === 'mount');
  return mount === undefined ? 'cannot be written to' : `mounted at ${mount.at}`;
}

/** As it is printed on cards: powers of ten. */
function humanSize(bytes: number): string {
  return bytes < 1e9 ? humanBytes(bytes) : `${(bytes / 1e9).toFixed(1)} GB`;
}

const shortName = ({ path }: Drive): string => path.slice(path.lastIndexOf('/') + 1);

function usage(message: string): never {
  throw new PipevineError('invalid-argument', message);
}
