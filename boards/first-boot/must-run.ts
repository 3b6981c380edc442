import { BoardsError } from '../boards-error.ts';
import type { FirstBootHost } from './first-boot-host.ts';

export async function mustRun(host: FirstBootHost, command: string, args: readonly string[]): Promise<void> {
  const { code, output } = await host.run(command, args);
  if (code !== 0)
    throw new BoardsError('environment', `${command} ${args.join(' ')} failed (${code}): ${output.trim()}`);
}
