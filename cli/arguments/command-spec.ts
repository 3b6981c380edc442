import type { CommandContext } from '../commands/command-context.ts';
import type { OptionKey } from '../config/options.ts';

/** An option of one command that is no setting: it cannot stand in the configuration file. */
export interface LocalOption {
  readonly key: string;
  /** How the value is called in the help. Absent: a switch. An option is the same of the two in all commands. */
  readonly placeholder?: string;
  readonly description: string;
  readonly repeatable?: boolean;
}

export interface Arguments {
  /** In the order of the command's usage; optional ones at the end may be missing. */
  readonly positionals: readonly string[];
  /** Local options that were given; of a repeatable one all, of another the last; of a switch `true` or `false`. */
  readonly local: Readonly<Record<string, readonly string[]>>;
}

/** Whether a switch was given and not taken back. */
export const isOn = (local: Arguments['local'], key: string): boolean => local[key]?.[0] === 'true';

export interface CommandSpec {
  /** One word, or two: that of a family and its own. */
  readonly name: string;
  /** Of one command of a family: what the family is about. */
  readonly family?: string;
  /** Names of the arguments; one in brackets may be left out. */
  readonly parameters: readonly string[];
  readonly description: string;
  /** Settings of this command, besides the general ones. */
  readonly settings: readonly OptionKey[];
  readonly options: readonly LocalOption[];
  run(context: CommandContext, given: Arguments): Promise<number>;
}

/** All that a build of the command line can do. */
export interface CommandTable {
  readonly commands: readonly CommandSpec[];
  /** First words that several commands share, with a description for the help. */
  readonly families: ReadonlyMap<string, string>;
  /** Why a command may be missing, for who asks for one that is not there. */
  readonly lacking: string | undefined;
}

/** Settings of every command. */
export const GENERAL_SETTINGS: readonly OptionKey[] = ['home', 'config', 'json', 'timeout'];
