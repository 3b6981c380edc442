import type { JsonValue } from '@pipevine/runtime';
import type { Params } from '../control/json-rpc.ts';
import { EXIT } from '../output/exit-code.ts';
import { printable } from '../output/printable.ts';
import { askDaemon, type CommandContext } from './command-context.ts';

/** A value as a shell wants it: text without quotes, all else as JSON. */
export const plainValue = (value: JsonValue | undefined): string =>
  typeof value === 'string' ? printable(value) : JSON.stringify(value ?? null);

export async function read(context: CommandContext, thing: string, property: string): Promise<number> {
  const reading = (await askDaemon(context, 'read', { thing, property })) as Params; // `read` answers an object
  context.output.value(reading, () => plainValue(reading.value));
  return EXIT.done;
}

/** Silent when it worked, as a command of a shell script should be. */
export async function write(context: CommandContext, thing: string, property: string, value: string): Promise<number> {
  const written = await askDaemon(context, 'write', { thing, property, value });
  if (context.output.json) context.output.value(written, () => '');
  return EXIT.done;
}

export async function invoke(
  context: CommandContext,
  thing: string,
  action: string,
  input: string | undefined,
): Promise<number> {
  const answer = (await askDaemon(context, 'invoke', {
    thing,
    action,
    ...(input === undefined ? {} : { input }),
  })) as Params; // `invoke` answers an object
  const hasOutput = answer.output !== null && answer.output !== undefined;
  if (context.output.json || hasOutput) context.output.value(answer, () => plainValue(answer.output));
  return EXIT.done;
}
