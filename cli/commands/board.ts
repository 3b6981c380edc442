import { resolve } from 'node:path';
import {
  BOARD_PROFILES,
  type BoardProfile,
  boardProfile,
  bundleBoard,
  keyFolder,
  readSigningKey,
} from '@pipevine/boards';
import { PipevineError } from '@pipevine/runtime';
import { type Arguments, isOn } from '../arguments/command-spec.ts';
import { EXIT } from '../output/exit-code.ts';
import { table } from '../output/table.ts';
import { withBoardErrors } from './board-failure.ts';
import type { CommandContext } from './command-context.ts';

/** Makes all files for a board. */
export async function bundle({ settings, output, env }: CommandContext, local: Arguments['local']): Promise<number> {
  const name = local.board?.[0];
  if (name === undefined) {
    throw new PipevineError('invalid-argument', '"bundle" needs --board NAME; `pipevine board list` shows them');
  }
  return withBoardErrors(async () => {
    const board = boardProfile(name);
    const key = isOn(local, 'unsigned') ? undefined : readSigningKey(keyFolder(env));
    const made = await bundleBoard({
      board,
      folder: resolve(local.out?.[0] ?? `pipevine-${board.name}`),
      compression: isOn(local, 'fast') ? 'fast' : 'small',
      ...(settings.profile && { profile: settings.profile }),
      ...(key && { key }),
      onStep: (step) => output.notice(step),
    });
    output.value(made, () =>
      table(
        ['FILE', 'MB'],
        made.files.map(({ path, bytes }) => [path, (bytes / 1e6).toFixed(1)]),
      ),
    );
    if (!made.isSigned && !isOn(local, 'unsigned')) {
      output.notice('the checksums are not signed: there is no key yet; make one with: pipevine keys create');
    }
    return EXIT.done;
  });
}

export async function list({ output }: CommandContext): Promise<number> {
  if (output.json) for (const board of BOARD_PROFILES) output.value(board, () => '');
  else {
    const rows = BOARD_PROFILES.map((board) => [board.name, board.architecture, board.profile, board.title]);
    output.line(table(['NAME', 'ARCHITECTURE', 'PROFILE', 'BOARD'], rows));
  }
  return EXIT.done;
}

export async function show({ output }: CommandContext, name: string): Promise<number> {
  return withBoardErrors(() => {
    const board = boardProfile(name);
    output.value(board, () => boardText(board));
    return EXIT.done;
  });
}

function boardText(board: BoardProfile): string {
  const memory = (['edge', 'gateway'] as const).map(
    (profile) => `${profile} ${board.memory[profile].highMiB} to ${board.memory[profile].maxMiB} MiB`,
  );
  return [
    `${board.title} (${board.name})`,
    `  architecture  ${board.architecture}`,
    `  node          ${board.node === 'bundled' ? 'in the executable' : "the system's, 22.13 or newer"}`,
    `  profile       ${board.profile}`,
    `  memory        ${memory.join(', ')}`,
    `  devices       ${board.devices.join(', ')}`,
    `  node flags    ${board.nodeFlags.join(' ')}`,
  ].join('\n');
}
