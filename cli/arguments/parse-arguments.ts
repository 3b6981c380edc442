import { PipevineError } from '@pipevine/runtime';
import { OPTIONS, type OptionKey, type OptionSpec } from '../config/options.ts';
import type { Flags } from '../config/settings.ts';
import { nearestNames } from '../naming/nearest-name.ts';
import { type Arguments, type CommandSpec, type CommandTable, GENERAL_SETTINGS } from './command-spec.ts';

export type Parsed =
  | { readonly type: 'run'; readonly command: CommandSpec; readonly flags: Flags; readonly given: Arguments }
  /** Of one command, of a family by its name, or of all. */
  | { readonly type: 'help'; readonly topic: CommandSpec | string | undefined }
  | { readonly type: 'version' };

interface Flag {
  readonly key: string;
  readonly value: string | boolean;
}

/**
 * Reads a command line: `--key VALUE`, `--key=VALUE`, `--switch`, `--no-switch`, in any place; `--` ends the options; a
 * negative number is an argument. Throws `invalid-argument`, in one line, with the nearest name for a typo.
 */
export function parseArguments(args: readonly string[], table: CommandTable): Parsed {
  const takesValue = valueOptions(table.commands);
  const words: string[] = [];
  const flags: Flag[] = [];
  let help = false;
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? '';
    if (arg === '--') {
      words.push(...args.slice(at + 1));
      break;
    }
    if (arg === '-h' || arg === '--help') help = true;
    else if (arg === '-V' || arg === '--version') return { type: 'version' };
    else if (!arg.startsWith('-') || arg === '-' || /^-[\d.]/.test(arg)) words.push(arg);
    else {
      const [, key = arg, value] = /^--([^=]+)(?:=(.*))?$/s.exec(arg) ?? [];
      if (takesValue.get(key) !== true) flags.push(switchOf(key, value));
      else {
        const next = value ?? args[++at];
        if (next === undefined) throw usage(`--${key} needs a value`);
        flags.push({ key, value: next });
      }
    }
  }
  const [first] = words;
  if (first === 'help' || help) {
    const topic = first === 'help' ? words.slice(1) : words;
    return { type: 'help', topic: topic.length === 0 ? undefined : commandOf(topic, table) };
  }
  if (first === undefined) throw usage('expected a command');
  const command = commandOf(words, table);
  if (typeof command === 'string') return { type: 'help', topic: command };
  const positionals = words.slice(command.name.split(' ').length);
  const settings = sortFlags(command, flags);
  checkCount(command, positionals);
  return { type: 'run', command, flags: settings, given: { positionals, local: localOf(command, flags) } };
}

/** Each option's name, and whether a value follows; the same in all commands. */
function valueOptions(commands: readonly CommandSpec[]): Map<string, boolean> {
  const settings = OPTIONS.map((option: OptionSpec): [string, boolean] => [option.key, option.type !== 'boolean']);
  return new Map([
    ...settings,
    ...commands.flatMap(({ options }) =>
      options.map(({ key, placeholder }): [string, boolean] => [key, placeholder !== undefined]),
    ),
  ]);
}

function switchOf(key: string, value: string | undefined): Flag {
  if (value !== undefined) return { key, value };
  return key.startsWith('no-') ? { key: key.slice(3), value: false } : { key, value: true };
}

/** The command that the first words name; a family's name when nothing follows it. */
function commandOf([first = '', second]: readonly string[], table: CommandTable): CommandSpec | string {
  const isFamily = table.families.has(first);
  if (isFamily && second === undefined) return first;
  const name = isFamily ? `${first} ${second}` : first;
  const command = table.commands.find((each) => each.name === name);
  if (command !== undefined) return command;
  const names = table.commands.map((each) => each.name);
  const siblings = names.filter((each) => each.startsWith(`${first} `)).map((each) => each.slice(first.length + 1));
  // Compared without the family's word, which would make all of them alike.
  const [near] = isFamily
    ? nearestNames(second ?? '', siblings, 1).map((each) => `${first} ${each}`)
    : nearestNames(first, [...names.filter((each) => !each.includes(' ')), ...table.families.keys()], 1);
  const hint = near === undefined ? (table.lacking ?? '') : `did you mean "${near}"?`;
  throw usage(`there is no command "${name}"${hint && `; ${hint}`}`, isFamily ? first : undefined);
}

function checkCount({ name, parameters }: CommandSpec, positionals: readonly string[]): void {
  const missing = parameters[positionals.length];
  if (missing !== undefined && !missing.startsWith('[')) throw usage(`"${name}" needs ${missing}`, name);
  const extra = positionals[parameters.length];
  if (extra !== undefined) throw usage(`"${name}" does not take "${extra}"; put quotes around names with spaces`, name);
}

function sortFlags(command: CommandSpec, flags: readonly Flag[]): Flags {
  const local = command.options.map((option) => option.key);
  const settings: readonly OptionKey[] = [...GENERAL_SETTINGS, ...command.settings];
  const sorted: Partial<Record<OptionKey, string | boolean | readonly string[]>> = {};
  for (const { key, value } of flags) {
    if (local.includes(key)) continue;
    const setting = settings.find((each) => each === key);
    const spec: OptionSpec | undefined = OPTIONS.find((option) => option.key === setting);
    if (setting === undefined || spec === undefined) {
      const [near] = nearestNames(key, [...settings, ...local], 1);
      throw usage(
        `"${command.name}" has no option --${key}${near === undefined ? '' : `; did you mean --${near}?`}`,
        command.name,
      );
    }
    const earlier = sorted[setting];
    sorted[setting] = spec.type === 'list' ? [...(Array.isArray(earlier) ? earlier : []), String(value)] : value;
  }
  return sorted;
}

function localOf(command: CommandSpec, flags: readonly Flag[]): Record<string, readonly string[]> {
  const local: Record<string, readonly string[]> = {};
  for (const { key, placeholder, repeatable } of command.options) {
    const given = flags.filter((flag) => flag.key === key);
    if (placeholder === undefined && given.some(({ value }) => typeof value === 'string')) {
      throw usage(`--${key} takes no value`, command.name);
    }
    const values = given.map(({ value }) => String(value));
    if (values.length > 0) local[key] = repeatable === true ? values : values.slice(-1);
  }
  return local;
}

function usage(message: string, command?: string): PipevineError {
  const hint = message.includes('did you mean')
    ? ''
    : `; \`pipevine help${command === undefined ? '' : ` ${command}`}\` shows how`;
  return new PipevineError('invalid-argument', message + hint);
}
