import type { CommandContext } from '../commands/command-context.ts';
import type { OptionKey } from '../config/options.ts';

/** An option of one command that is no setting: it cannot stand in the configuration file. */
export interface LocalOption {
  readonly key: string;
  readonly placeholder: string;
  readonly description: string;
  readonly repeatable?: boolean;
}

export interface Arguments {
  /** In the order of the command's usage; optional ones at the end may be missing. */
  readonly positionals: readonly string[];
  /** Local options that were given; of a repeatable one all, of another the last. */
  readonly local: Readonly<Record<string, readonly string[]>>;
}

export interface CommandSpec {
  readonly name: string;
  /** Names of the arguments; one in brackets may be left out. */
  readonly parameters: readonly string[];
  readonly description: string;
  /** Settings of this command, besides the general ones. */
  readonly settings: readonly OptionKey[];
  readonly options: readonly LocalOption[];
  run(context: CommandContext, given: Arguments): Promise<number>;
}

/** Settings of every command. */
export const GENERAL_SETTINGS: readonly OptionKey[] = ['home', 'config', 'json', 'timeout'];
