import { readFileSync } from 'node:fs';
import { isSea } from 'node:sea';
import {
  installService,
  makeServiceBundle,
  serviceHost,
  serviceLogs,
  serviceStatus,
  uninstallService,
} from '@pipevine/boards';
import { PipevineError } from '@pipevine/runtime';
import { type Arguments, isOn } from '../arguments/command-spec.ts';
import { EXIT } from '../output/exit-code.ts';
import { withBoardErrors } from './board-failure.ts';
import type { CommandContext } from './command-context.ts';

const isRoot = () => process.getuid?.() === 0;

export async function install({ settings, output }: CommandContext): Promise<number> {
  return withBoardErrors(async () => {
    const profile = settings.profile ?? 'gateway';
    const model = boardModel();
    const installed = await installService(serviceHost, {
      executable: process.execPath,
      ...(isSea() ? {} : { makeBundle: (folder: string) => makeServiceBundle(profile, folder) }),
      profile,
      ...(model !== undefined && { model }),
      isRoot: isRoot(),
    });
    output.value(installed, () =>
      [
        `The service ${installed.isActive ? 'runs' : 'does not run yet; see: pipevine service logs'}`,
        `  unit    ${installed.unit}`,
        `  config  ${installed.config}`,
      ].join('\n'),
    );
    return installed.isActive ? EXIT.done : EXIT.failed;
  });
}

export async function status({ output }: CommandContext): Promise<number> {
  return withBoardErrors(async () => {
    const found = await serviceStatus(serviceHost);
    output.value(found, () => {
      if (!found.isInstalled) return 'not installed; next: sudo pipevine service install';
      const memory = found.memoryBytes === null ? '' : `, ${(found.memoryBytes / 1e6).toFixed(0)} MB`;
      const since = found.since === null ? '' : ` since ${found.since}, process ${found.pid}${memory}`;
      return `${found.state}${since}; restarts: ${found.restarts}; ${found.isEnabled ? 'starts' : 'does not start'} with the machine`;
    });
    return found.isInstalled ? (found.state === 'active' ? EXIT.done : EXIT.failed) : EXIT.notFound;
  });
}

export async function logs({ signal }: CommandContext, local: Arguments['local']): Promise<number> {
  const lines = Number(local.lines?.[0] ?? 50);
  if (!Number.isSafeInteger(lines) || lines < 0) {
    throw new PipevineError('invalid-argument', `--lines: expected a number of lines, not "${local.lines?.[0]}"`);
  }
  return withBoardErrors(async () => {
    await serviceLogs(serviceHost, { lines, follow: isOn(local, 'follow'), signal });
    return EXIT.done;
  });
}

export async function uninstall({ output }: CommandContext, local: Arguments['local']): Promise<number> {
  return withBoardErrors(async () => {
    const purge = isOn(local, 'purge');
    await uninstallService(serviceHost, { isRoot: isRoot(), purge });
    output.line(
      purge
        ? 'The service, its identity and its data are gone.'
        : 'The service is gone; its identity and data stay in /var/lib/pipevine.',
    );
    return EXIT.done;
  });
}

/** What the device tree says of the board; absent on most other machines. */
function boardModel(): string | undefined {
  try {
    return readFileSync('/proc/device-tree/model', 'utf8').replace(/\0.*$/s, '');
  } catch {
    return undefined;
  }
}
