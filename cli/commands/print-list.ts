import type { Params } from '../control/json-rpc.ts';
import { EXIT } from '../output/exit-code.ts';
import { printable } from '../output/printable.ts';
import { table } from '../output/table.ts';
import { type CommandContext, listFromDaemon } from './command-context.ts';

/** Prints a list of the daemon: under --json each as it comes, else one table at the end. */
export async function printList(
  context: CommandContext,
  method: string,
  params: Params,
  header: readonly string[],
  row: (item: Params) => readonly string[],
  empty: string,
): Promise<number> {
  const rows: (readonly string[])[] = [];
  for await (const item of listFromDaemon(context, method, params)) {
    if (context.output.json) context.output.value(item, () => '');
    else rows.push(row(item).map(printable));
  }
  rows.sort((a, b) => (a[0] ?? '').localeCompare(b[0] ?? ''));
  context.output.line(rows.length === 0 ? empty : table(header, rows));
  return EXIT.done;
}
