import { access, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, PipevineError } from '@pipevine/runtime';
import type { PowerAction } from './board-config.ts';
import type { BoardCommands, BoardPower } from './board-platform.ts';

/** Verbs of systemctl(1), and names of the requests. */
const VERBS: Readonly<Record<PowerAction, string>> = { shutdown: 'poweroff', reboot: 'reboot' };
/** An invocation has 10 s in all. */
const TIMEOUT_MS = 8_000;
const LOOK_AGAIN_MS = 100;

/**
 * Asks the system's service manager. A service without any rights leaves an empty file instead, in a folder that another unit
 * watches as root: `requests`, from PIPEVINE_POWER_REQUESTS. That unit removes the file before it acts.
 */
export function nodeBoardPower(
  commands: BoardCommands,
  clock: Clock,
  requests: string | undefined = process.env.PIPEVINE_POWER_REQUESTS,
): BoardPower {
  return {
    ask: (action) =>
      requests === undefined ? askManager(commands, VERBS[action]) : leaveRequest(clock, join(requests, VERBS[action])),
  };
}

async function askManager(commands: BoardCommands, verb: string): Promise<void> {
  const command = ['systemctl', '--no-ask-password', '--no-block', verb];
  await commands.run(command, { timeoutMs: TIMEOUT_MS, maxBytes: 4_096 });
}

async function leaveRequest(clock: Clock, file: string): Promise<void> {
  try {
    await writeFile(file, '', { mode: 0o600 });
  } catch (cause) {
    throw new PipevineError('unreachable', `${file} cannot be written: is the service that of pipevine?`, { cause });
  }
  for (let waitedMs = 0; waitedMs < TIMEOUT_MS; waitedMs += LOOK_AGAIN_MS) {
    if (!(await isThere(file))) return;
    await new Promise<void>((resolve) => clock.setTimer(LOOK_AGAIN_MS, resolve));
  }
  // Nobody shall find it later.
  await rm(file, { force: true });
  throw new PipevineError('timeout', 'nobody carries this out; on the board: systemctl status pipevine-power.path');
}

const isThere = (file: string) =>
  access(file).then(
    () => true,
    () => false,
  );
