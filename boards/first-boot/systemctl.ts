import { BoardsError } from '../boards-error.ts';
import type { FirstBootHost } from './first-boot-host.ts';

/** Throws `environment` when it fails. Does not wait for what it starts, which starts after the first boot's own unit. */
export async function systemctl(host: FirstBootHost, ...words: readonly string[]): Promise<void> {
  const args = ['--no-block', ...words];
  const { code, output } = await host.run('systemctl', args);
  if (code !== 0)
    throw new BoardsError('environment', `systemctl ${args.join(' ')} failed (${code}): ${output.trim()}`);
}
