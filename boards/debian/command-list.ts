import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export interface ListedCommand {
  /** One word, or two: that of a family and its own. */
  readonly name: string;
  /** With its arguments. */
  readonly usage: string;
  readonly description: string;
}

/** The commands of a bundled command line, as its own help lists them. */
export async function commandList(program: string): Promise<readonly ListedCommand[]> {
  const help = async (...args: string[]) =>
    (await promisify(execFile)(process.execPath, [program, 'help', ...args], { env: { PATH: process.env.PATH } }))
      .stdout;
  const all = commandsOf(await help());
  const families = all.filter(({ usage }) => / COMMAND$/.test(usage));
  const members = await Promise.all(families.map(async ({ name }) => commandsOf(await help(name))));
  return [...all.filter((each) => !families.includes(each)), ...members.flat()];
}

/** Lines of the help such as `  pipe send NAME  send each line ...`: words of the name are in lower case. */
export function commandsOf(help: string): ListedCommand[] {
  return help.split('\n').flatMap((line) => {
    const [, usage, description] = /^ {2}([a-z]\S*(?: \S+)*) {2,}(\S.*)$/.exec(line) ?? [];
    if (usage === undefined || description === undefined) return [];
    const name = /^[a-z][a-z-]*(?: [a-z][a-z-]*)?/.exec(usage)?.[0] ?? usage;
    return [{ name, usage, description }];
  });
}
