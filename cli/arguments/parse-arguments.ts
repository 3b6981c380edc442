import { PipevineError } from '@pipevine/runtime';
import { OPTIONS, type OptionKey, type OptionSpec } from '../config/options.ts';
import type { Flags } from '../config/settings.ts';
import { nearestNames } from '../naming/nearest-name.ts';
import { type Arguments, type CommandSpec, GENERAL_SETTINGS } from './command-spec.ts';

export type Parsed =
  | { readonly type: 'run'; readonly command: CommandSpec; readonly flags: Flags; readonly given: Arguments }
  | { readonly type: 'help'; readonly command: CommandSpec | undefined }
  | { readonly type: 'version' };

interface Flag {
  readonly key: string;
  readonly value: string | boolean;
}

/**
 * Reads a command line: `--key VALUE`, `--key=VALUE`, `--switch`, `--no-switch`, in any place; `--` ends the options; a
 * negative number is an argument. Throws `invalid-argument`, in one line, with the nearest name for a typo.
 */
export function parseArguments(args: readonly string[], commands: readonly CommandSpec[]): Parsed {
  const takesValue = valueOptions(commands);
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
  const [name, ...positionals] = words;
  if (name === 'help' || help) {
    const wanted = name === 'help' ? positionals[0] : name;
    return { type: 'help', command: wanted === undefined ? undefined : commandOf(wanted, commands) };
  }
  if (name === undefined) throw usage('expected a command');
  const command = commandOf(name, commands);
  const settings = sortFlags(command, flags);
  checkCount(command, positionals);
  return { type: 'run', command, flags: settings, given: { positionals, local: localOf(command, flags) } };
}

/** Each option's name, and whether a value follows; the same in all commands. */
function valueOptions(commands: readonly CommandSpec[]): Map<string, boolean> {
  const settings = OPTIONS.map((option: OptionSpec): [string, boolean] => [option.key, option.type !== 'boolean']);
  return new Map([
    ...settings,
    ...commands.flatMap(({ options }) => options.map(({ key }): [string, boolean] => [key, true])),
  ]);
}

function switchOf(key: string, value: string | undefined): Flag {
  if (value !== undefined) return { key, value };
  return key.startsWith('no-') ? { key: key.slice(3), value: false } : { key, value: true };
}

function commandOf(name: string, commands: readonly CommandSpec[]): CommandSpec {
  const command = commands.find((each) => each.name === name);
  if (command !== undefined) return command;
  const [near] = nearestNames(
    name,
    commands.map((each) => each.name),
    1,
  );
  throw usage(`there is no command "${name}"${near === undefined ? '' : `; did you mean "${near}"?`}`);
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
  for (const { key, repeatable } of command.options) {
    const values = flags.filter((flag) => flag.key === key).map((flag) => String(flag.value));
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
