import { OPTIONS, type OptionKey, type OptionSpec, variableOf } from '../config/options.ts';
import { table } from '../output/table.ts';
import { type CommandSpec, type CommandTable, GENERAL_SETTINGS } from './command-spec.ts';

const FOOTER = `Things and peers are named by name, by id, or by the beginning of either, if only one has it.
Every option is also a variable (PIPEVINE_HOME for --home) and a key of pipevine.yaml.
Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 timed out, 5 refused.`;

/** What `pipevine help` prints: all commands, those of one family, or one. */
export function helpText({ commands, families }: CommandTable, topic: CommandSpec | string | undefined): string {
  if (typeof topic === 'string') return familyHelp(topic, families.get(topic) ?? '', commands);
  if (topic !== undefined) return commandHelp(topic);
  const single = commands.filter(({ name }) => !name.includes(' '));
  return [
    'Pipevine: an overlay of peers for small devices and gateways',
    '',
    'Usage: pipevine COMMAND [OPTIONS]',
    '',
    indented([
      ...single.map((each) => [[each.name, ...each.parameters].join(' '), each.description]),
      ...[...families].map(([name, description]) => [`${name} COMMAND`, description]),
      ['help [COMMAND]', 'show this, or the help of a command'],
    ]),
    '',
    'Options of every command:',
    indented([...settingRows(GENERAL_SETTINGS), ['-V, --version', 'print the version'], ['-h, --help', 'show help']]),
    '',
    FOOTER,
  ].join('\n');
}

function familyHelp(family: string, description: string, commands: readonly CommandSpec[]): string {
  const members = commands.filter(({ name }) => name.startsWith(`${family} `));
  return [
    `Usage: pipevine ${family} COMMAND [OPTIONS]`,
    '',
    `  ${description}`,
    '',
    indented(members.map((each) => [[each.name, ...each.parameters].join(' '), each.description])),
    '',
    `\`pipevine help ${family} COMMAND\` explains one.`,
  ].join('\n');
}

function commandHelp({ name, parameters, description, settings, options }: CommandSpec): string {
  const local = options.map(({ key, placeholder, description: text }) => [
    placeholder === undefined ? `--${key}` : `--${key} ${placeholder}`,
    text,
  ]);
  const own = [...local, ...settingRows(settings)];
  return [
    `Usage: pipevine ${[name, ...parameters].join(' ')}${own.length > 0 ? ' [OPTIONS]' : ''}`,
    '',
    `  ${description}`,
    ...(own.length > 0 ? ['', 'Options:', indented(own)] : []),
    '',
    'Options of every command:',
    // One that means something of its own here is shown above.
    indented(settingRows(GENERAL_SETTINGS.filter((key) => !options.some((option) => option.key === key)))),
  ].join('\n');
}

function settingRows(keys: readonly OptionKey[]): string[][] {
  return keys.flatMap((key) => {
    const option: OptionSpec | undefined = OPTIONS.find((each) => each.key === key);
    if (option === undefined) return [];
    const { type, placeholder, description } = option;
    const flag = key === 'multicast' ? '--no-multicast' : `--${key}${type === 'boolean' ? '' : ` ${placeholder}`}`;
    const text = key === 'multicast' ? `do not ${description}` : description;
    return [[flag, `${text} (${variableOf(key)})`]];
  });
}

function indented(rows: readonly (readonly string[])[]): string {
  return table(['', ''], rows)
    .split('\n')
    .slice(1)
    .map((line) => `  ${line}`)
    .join('\n');
}
