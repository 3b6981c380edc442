import { PipevineError } from '@pipevine/runtime';
import { helpText } from './arguments/help-text.ts';
import { parseArguments } from './arguments/parse-arguments.ts';
import type { MoreCommands, ReachLoader } from './commands/command-context.ts';
import { commandTable } from './commands/command-table.ts';
import { type Environment, loadSettings } from './config/settings.ts';
import type { BoardModule } from './daemon/board-thing.ts';
import type { GatewayModule } from './daemon/devices.ts';
import { type Input, NO_INPUT } from './input/input.ts';
import { EXIT, exitCodeOf } from './output/exit-code.ts';
import { Output, type TextSink } from './output/output.ts';
import { VERSION } from './version.ts';

export interface CommandLineInit {
  readonly env: Environment;
  readonly out: TextSink;
  readonly err: TextSink;
  /** Aborted when the person wants the command to end. */
  readonly signal: AbortSignal;
  /** What a gateway needs besides a peer. Absent in a build for edges. */
  readonly loadGateway?: () => Promise<GatewayModule>;
  /** Transports besides TCP. Absent in a build for edges. */
  readonly loadReach?: ReachLoader;
  /** Shows the board as a thing. Absent in a build for edges. */
  readonly loadBoard?: () => Promise<BoardModule>;
  /** Commands that a build for edges leaves out. Absent there. */
  readonly moreCommands?: MoreCommands;
  /** Where a person, or a pipe, can be asked. Default: nobody can. */
  readonly input?: Input;
  /** Draws a text as a QR code. Absent where nobody is shown one. */
  readonly drawQrCode?: (text: string) => Promise<string>;
}

/** Runs one command line and resolves with the exit code. Prints all errors; never rejects. */
export async function runCommandLine(args: readonly string[], init: CommandLineInit): Promise<number> {
  const { env, out, err, signal, loadGateway, loadReach, loadBoard, moreCommands, drawQrCode, input = NO_INPUT } = init;
  const table = commandTable(moreCommands?.commands);
  const outputOf = (json: boolean) => new Output({ json, out, err, debug: Boolean(env.PIPEVINE_DEBUG) });
  let output = outputOf(args.includes('--json'));
  try {
    const parsed = parseArguments(args, table);
    if (parsed.type !== 'run') {
      out.write(`${parsed.type === 'version' ? VERSION : helpText(table, parsed.topic)}\n`);
      return EXIT.done;
    }
    const settings = await loadSettings(parsed.flags, env);
    output = outputOf(settings.json);
    const context = {
      settings,
      output,
      env,
      signal,
      input,
      ...(moreCommands === undefined ? {} : { moreCommands }),
      ...(loadGateway === undefined ? {} : { loadGateway }),
      ...(loadReach === undefined ? {} : { loadReach }),
      ...(loadBoard === undefined ? {} : { loadBoard }),
      ...(drawQrCode === undefined ? {} : { drawQrCode }),
    };
    return await parsed.command.run(context, parsed.given);
  } catch (error) {
    if (signal.aborted && error instanceof PipevineError && error.code === 'aborted') return EXIT.done;
    output.error(error);
    return exitCodeOf(error);
  }
}
