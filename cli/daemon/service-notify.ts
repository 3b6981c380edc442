import type { Environment } from '../config/settings.ts';

/** Tells a service manager how the daemon is; of all else nothing. */
export interface ServiceNotify {
  /** Resolves when the service manager knows that the daemon listens. */
  ready(): Promise<void>;
  /** Ends the watchdog's messages. Idempotent. */
  close(): void;
}

export interface ServiceNotifyInit {
  readonly env: Environment;
  /** Runs a command; resolves when it has ended well. */
  readonly run?: (command: string, args: readonly string[]) => Promise<void>;
  readonly warn: (text: string) => void;
}

/** Whether a service manager has started this process and waits for a word of it. */
export const isService = (env: Environment): boolean => env.NOTIFY_SOCKET !== undefined && env.NOTIFY_SOCKET !== '';

/** Three messages in the time after which systemd takes the daemon for dead: two may be late. */
const MESSAGES_PER_TIMEOUT = 3;

/**
 * Readiness and watchdog by sd_notify(3). Node has no datagram sockets of the local kind, so each message is sent by
 * systemd-notify(1). The watchdog's come from a timer of this process: no turn of its event loop, no message.
 */
export function serviceNotify({ env, run = runCommand, warn }: ServiceNotifyInit): ServiceNotify {
  const timeoutMs = watchdogMs(env);
  let timer: NodeJS.Timeout | undefined;
  const send = async (...args: readonly string[]) => {
    try {
      await run('systemd-notify', args);
    } catch (error) {
      warn(`systemd was not told (${error instanceof Error ? error.message.trim() : String(error)})`);
    }
  };
  return {
    async ready() {
      if (!isService(env)) return;
      await send('--ready', '--status=listening');
      if (timeoutMs !== undefined) timer = setInterval(() => void send('WATCHDOG=1'), timeoutMs / MESSAGES_PER_TIMEOUT);
    },
    close() {
      clearInterval(timer);
    },
  };
}

/** WATCHDOG_USEC, if it is meant for this process. */
function watchdogMs(env: Environment): number | undefined {
  const us = Number(env.WATCHDOG_USEC);
  const isOurs = env.WATCHDOG_PID === undefined || env.WATCHDOG_PID === String(process.pid);
  return isOurs && Number.isSafeInteger(us) && us > 0 ? us / 1_000 : undefined;
}

async function runCommand(command: string, args: readonly string[]): Promise<void> {
  // Loaded by who has a service manager: a start without one is quicker.
  const { execFile } = await import('node:child_process');
  return new Promise((resolve, reject) => {
    execFile(command, [...args], { timeout: 10_000 }, (error) => (error === null ? resolve() : reject(error)));
  });
}
