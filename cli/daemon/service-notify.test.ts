import { expect, it, vi } from 'vitest';
import { serviceNotify } from './service-notify.ts';

const SOCKET = { NOTIFY_SOCKET: '/run/systemd/notify' };

function notifyWith(env: Record<string, string>, failure?: Error) {
  const sent: string[] = [];
  const warnings: string[] = [];
  const notify = serviceNotify({
    env,
    run: async (command, args) => {
      sent.push([command, ...args].join(' '));
      if (failure !== undefined) throw failure;
    },
    warn: (text) => warnings.push(text),
  });
  return { notify, sent, warnings };
}

it('says nothing where no service manager listens', async () => {
  const { notify, sent } = notifyWith({ WATCHDOG_USEC: '3000000' });
  await notify.ready();
  notify.close();
  expect(sent).toEqual([]);
});

it('tells systemd that the daemon is ready, and from then on that it lives, three times in the watchdog time', async () => {
  vi.useFakeTimers();
  try {
    const { notify, sent } = notifyWith({ ...SOCKET, WATCHDOG_USEC: '3000000', WATCHDOG_PID: String(process.pid) });
    await notify.ready();
    expect(sent).toEqual(['systemd-notify --ready --status=listening']);
    vi.advanceTimersByTime(3_000);
    expect(sent.slice(1)).toEqual(Array(3).fill('systemd-notify WATCHDOG=1'));
    notify.close();
    vi.advanceTimersByTime(3_000);
    expect(sent).toHaveLength(4);
  } finally {
    vi.useRealTimers();
  }
});

it('leaves a watchdog alone that is meant for another process', async () => {
  vi.useFakeTimers();
  try {
    const { notify, sent } = notifyWith({ ...SOCKET, WATCHDOG_USEC: '3000000', WATCHDOG_PID: '1' });
    await notify.ready();
    vi.advanceTimersByTime(9_000);
    expect(sent).toHaveLength(1);
  } finally {
    vi.useRealTimers();
  }
});

it('goes on, with a warning, where systemd-notify is missing', async () => {
  const { notify, warnings } = notifyWith(SOCKET, new Error('spawn systemd-notify ENOENT'));
  await notify.ready();
  expect(warnings).toEqual(['systemd was not told (spawn systemd-notify ENOENT)']);
});
