import { type Flashed, flash, unfinishedMark } from '@pipevine/boards';
import { PipevineError } from '@pipevine/runtime';
import { type Arguments, isOn } from '../arguments/command-spec.ts';
import { humanDuration } from '../output/duration.ts';
import { EXIT } from '../output/exit-code.ts';
import { printable } from '../output/printable.ts';
import { withBoardErrors } from './board-failure.ts';
import { type CommandContext, nameOf, textOf } from './command-context.ts';
import { chooseDestination, printDrives } from './flash-drives.ts';
import { progressPrinter } from './flash-progress.ts';
import { watchForBoard } from './flash-wait.ts';
import { givenSetup } from './setup-options.ts';

const now = () => performance.now();

/** Writes an image to a card; or shows drives, or looks at a card. */
export async function flashCard(
  context: CommandContext,
  image: string | undefined,
  local: Arguments['local'],
): Promise<number> {
  return withBoardErrors(async () => {
    if (isOn(local, 'list')) {
      await printDrives(context);
      return EXIT.done;
    }
    if (isOn(local, 'check')) return check(context, local.device?.[0] ?? local['fixed-disk']?.[0]);
    if (image === undefined) return usage('"flash" needs IMAGE, or --list');
    return write(context, image, local);
  });
}

async function write(context: CommandContext, image: string, local: Arguments['local']): Promise<number> {
  const { output, signal, input } = context;
  const { setup, peerName } = await givenSetup(local, input);
  if (isOn(local, 'wait') && peerName === undefined) {
    return usage('--wait needs to know what the board will be called: --hostname NAME');
  }
  const watch = peerName !== undefined && isOn(local, 'wait') ? await watchForBoard(context, peerName) : undefined;
  const destination = await chooseDestination(context, local);
  const terminal = !output.json && process.stderr.isTTY ? process.stderr : undefined;
  const done = await flash({
    image,
    destination,
    fixedAllowed: local['fixed-disk'] !== undefined,
    setup,
    signal,
    now,
    onProgress: progressPrinter(output, now, terminal),
  });
  if (!done.isDirect) {
    output.notice(`the file system of ${done.device} has no way around its cache: that was read back, not the medium`);
  }
  output.value({ phase: 'done', ...done }, () => doneText(done));
  if (watch === undefined) return EXIT.done;
  output.notice(`put the card into the board and switch it on; waiting for "${peerName}"`);
  const board = await watch.appeared();
  output.value(
    { phase: 'appeared', peer: board.id, name: board.name },
    () => `${nameOf(board.name)} is there: ${textOf(board.id)}`,
  );
  return EXIT.done;
}

/** The next look at a card of which nobody knows whether it was finished. */
async function check({ output }: CommandContext, device: string | undefined): Promise<number> {
  if (device === undefined) return usage('--check needs --device DEVICE');
  const mark = await unfinishedMark(device);
  output.value(
    { device, isUnfinished: mark !== undefined, image: mark?.image ?? null, began: mark?.began ?? null },
    () =>
      mark === undefined
        ? `${device} has no mark of an unfinished flashing`
        : printable(`${device} is not finished and cannot be used: ${mark.image}, begun ${mark.began}; flash it again`),
  );
  return mark === undefined ? EXIT.done : EXIT.failed;
}

function doneText({ device, bytes, writeMs, verifyMs, isSetUp }: Flashed): string {
  const rate = (ms: number) => `${(bytes / 1e3 / Math.max(ms, 1)).toFixed(1)} MB/s`;
  const size = `${(bytes / 1e6).toFixed(1)} MB`;
  return [
    `${device} is ready: ${size}${isSetUp ? ', set up' : ''}, read back and right`,
    `  written    ${humanDuration(writeMs)}, ${rate(writeMs)}`,
    `  read back  ${humanDuration(verifyMs)}, ${rate(verifyMs)}`,
  ].join('\n');
}

function usage(message: string): never {
  throw new PipevineError('invalid-argument', `${message}; \`pipevine help flash\` shows how`);
}
