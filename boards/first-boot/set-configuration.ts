import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CONFIG_FILE } from '../service/service-paths.ts';
import type { FirstBootHost } from './first-boot-host.ts';
import { replaceSystemFile } from './replace-file.ts';

/** What stood there before is kept beside it. */
export const CONFIG_BACKUP = `${CONFIG_FILE}.before-setup`;

export function setConfiguration({ root }: FirstBootHost, text: string): void {
  const path = join(root, CONFIG_FILE);
  const before = existsSync(path) ? readFileSync(path, 'utf8') : undefined;
  if (before === text) return;
  if (before !== undefined) replaceSystemFile(join(root, CONFIG_BACKUP), before);
  replaceSystemFile(path, text);
}
