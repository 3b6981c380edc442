import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import {
  type BoardImage,
  type BoardProfile,
  type BoardSetup,
  boardProfile,
  bundleBoard,
  debianImage,
  keyFolder,
  makeBoardImage,
  trustedKeys,
  verifyFile,
} from '@pipevine/boards';
import { PipevineError } from '@pipevine/runtime';
import { type Arguments, isOn } from '../arguments/command-spec.ts';
import type { Environment } from '../config/settings.ts';
import type { Input } from '../input/input.ts';
import { EXIT } from '../output/exit-code.ts';
import { withBoardErrors } from './board-failure.ts';
import type { CommandContext } from './command-context.ts';
import { givenSetup } from './setup-options.ts';

const DEFAULT_USER = 'pi';
/** So many notices at most of a step that takes long. */
const NOTICES = 5;

/** Puts Pipevine and the settings of a board into a copy of a stock image. */
export async function image(context: CommandContext, local: Arguments['local']): Promise<number> {
  const { output, input, env, signal, settings } = context;
  const name = required(local, 'board', 'NAME');
  const out = required(local, 'out', 'FILE');
  return withBoardErrors(async () => {
    const board = boardProfile(name);
    const setup = await setupOf(local, input);
    const base = await baseOf(context, local, board);
    const own = local.package?.[0];
    if (own !== undefined) await checkSignature(own, env, (text) => output.notice(text));
    const folder = own === undefined ? await mkdtemp(join(tmpdir(), 'pipevine-image-')) : undefined;
    try {
      const made = await makeBoardImage({
        board,
        base,
        out,
        setup,
        signal,
        package: own ?? (await newPackage(board, folder ?? '', settings.profile, (step) => output.notice(step))),
        onStep: (step) => output.notice(step),
        onProgress: progressNotices((text) => output.notice(text)),
      });
      output.value(made, () => resultText(made));
      return EXIT.done;
    } finally {
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    }
  });
}

function required(local: Arguments['local'], key: string, placeholder: string): string {
  const value = local[key]?.[0];
  if (value !== undefined) return value;
  throw new PipevineError(
    'invalid-argument',
    `"image" needs --${key} ${placeholder}; \`pipevine help image\` shows how`,
  );
}

/** Keys need somebody who logs in by them, whom stock images do not have. */
async function setupOf(local: Arguments['local'], input: Input): Promise<BoardSetup> {
  const { setup = {} } = await givenSetup(local, input);
  if (setup.sshKeys !== undefined) return { user: DEFAULT_USER, ...setup };
  if (setup.user === undefined) return setup;
  throw new PipevineError('invalid-argument', '--user names who logs in by SSH keys: it needs --ssh-key FILE');
}

/** The path of what Pipevine is put into. */
async function baseOf({ signal, output }: CommandContext, local: Arguments['local'], board: BoardProfile) {
  const [mirror, securityMirror] = [local.mirror?.[0], local['security-mirror']?.[0]];
  if (isOn(local, 'from-debian')) {
    if (local.base !== undefined) {
      throw new PipevineError('invalid-argument', 'give one of --base and --from-debian');
    }
    return debianImage({
      board,
      signal,
      onStep: (step) => output.notice(step),
      ...(mirror !== undefined && { mirror }),
      ...(securityMirror !== undefined && { securityMirror }),
    });
  }
  if ((mirror ?? securityMirror) !== undefined) {
    throw new PipevineError('invalid-argument', '--mirror goes with --from-debian');
  }
  return required(local, 'base', 'IMAGE');
}

/** What has checksums beside it must agree with them. */
async function checkSignature(file: string, env: Environment, notice: (text: string) => void): Promise<void> {
  const isSigned = await access(join(dirname(file), 'SHA256SUMS.sig')).then(
    () => true,
    () => false,
  );
  if (!isSigned) return notice(`${file} has no signed checksums beside it; it is taken as it is`);
  const { signer } = await verifyFile(file, trustedKeys(keyFolder(env)));
  notice(`${basename(file)} is good: signed by ${signer}`);
}

async function newPackage(
  board: BoardProfile,
  folder: string,
  profile: 'edge' | 'gateway' | undefined,
  onStep: (step: string) => void,
): Promise<string> {
  const made = await bundleBoard({ board, folder, compression: 'fast', onStep, ...(profile && { profile }) });
  const file = made.files.find(({ kind }) => kind === 'package');
  if (file === undefined) throw new PipevineError('internal', 'the bundle has no package');
  return file.path;
}

/** Says each fifth of a step, but not of one that is over at once. */
function progressNotices(notice: (text: string) => void): (step: string, part: number) => void {
  let [step, said] = ['', 0];
  return (name, part) => {
    if (name !== step) [step, said] = [name, 0];
    const due = Math.floor(part * NOTICES);
    if (due <= said || due >= NOTICES) return;
    said = due;
    notice(`${name}: ${Math.round((due / NOTICES) * 100)} %`);
  };
}

function resultText(made: BoardImage): string {
  const { seconds } = made;
  const lines = [
    `${made.file} holds Pipevine ${made.version}`,
    `  size       ${(made.bytes / 1e6).toFixed(0)} MB${made.bytes === made.imageBytes ? '' : `, ${(made.imageBytes / 1e6).toFixed(0)} MB unpacked`}`,
    `  sha256     ${made.sha256}`,
    `  boot files ${made.bootFiles.join(', ')}`,
    `  took       ${seconds.unpack} s to unpack, ${seconds.inject} s to put Pipevine in, ${seconds.finish} s for hash and packing`,
    ...(made.manifest === null ? [] : [`  manifest   ${made.manifest}, for Raspberry Pi Imager`]),
    ...(made.isSecret
      ? ['It holds secrets: only you can read it (mode 0600). Delete it when the cards are written.']
      : []),
  ];
  return lines.join('\n');
}
