import {
  createSigningKey,
  forgetKey,
  keyFolder,
  publicKeyText,
  trustedKeys,
  trustKey,
  verifyFile,
} from '@pipevine/boards';
import type { Arguments } from '../arguments/command-spec.ts';
import { EXIT } from '../output/exit-code.ts';
import { table } from '../output/table.ts';
import { withBoardErrors } from './board-failure.ts';
import type { CommandContext } from './command-context.ts';

export async function list({ output, env }: CommandContext): Promise<number> {
  return withBoardErrors(() => {
    const keys = trustedKeys(keyFolder(env));
    if (output.json) for (const key of keys) output.value(key, () => '');
    else if (keys.length === 0) output.line('none yet; next: pipevine keys create, or pipevine keys trust KEY NAME');
    else
      output.line(
        table(
          ['NAME', 'KEY'],
          keys.map(({ name, publicKey }) => [name, publicKey]),
        ),
      );
    return EXIT.done;
  });
}

export async function create({ output, env }: CommandContext): Promise<number> {
  return withBoardErrors(() => {
    const publicKey = publicKeyText(createSigningKey(keyFolder(env)));
    output.value(
      { publicKey, folder: keyFolder(env) },
      () => `${publicKey}\nOthers trust it by: pipevine keys trust ${publicKey} NAME`,
    );
    return EXIT.done;
  });
}

export async function trust({ env }: CommandContext, key: string, name: string): Promise<number> {
  return withBoardErrors(() => {
    trustKey(keyFolder(env), name, key);
    return EXIT.done;
  });
}

export async function forget({ env }: CommandContext, name: string): Promise<number> {
  return withBoardErrors(() => {
    forgetKey(keyFolder(env), name);
    return EXIT.done;
  });
}

/** Checks a file against the signed checksums beside it. */
export async function verify(
  { output, env }: CommandContext,
  file: string,
  local: Arguments['local'],
): Promise<number> {
  return withBoardErrors(async () => {
    const given = local.key?.map((publicKey) => ({ name: 'the given key', publicKey, isOwn: false })) ?? [];
    const verified = await verifyFile(file, [...trustedKeys(keyFolder(env)), ...given]);
    output.value(verified, () => `${file} is good: signed by ${verified.signer}`);
    return EXIT.done;
  });
}
