import type { Profile } from '../config/settings.ts';
import { collectGarbage } from '../daemon/collect-garbage.ts';
import { type Daemon, type Ready, startDaemon } from '../daemon/daemon.ts';
import { Log } from '../daemon/log.ts';
import { isService, serviceNotify } from '../daemon/service-notify.ts';
import { EXIT } from '../output/exit-code.ts';
import type { CommandContext } from './command-context.ts';

/** Then what only the start of a small peer needed is garbage: 2 MB. */
const START_IS_OVER_MS = 5_000;

/** Runs a peer until it is stopped. */
export async function up(context: CommandContext): Promise<number> {
  const { settings, output, env, signal, loadGateway, loadReach, loadBoard, moreCommands } = context;
  const profile: Profile = settings.profile ?? (loadGateway === undefined ? 'edge' : 'gateway');
  const log = new Log({
    level: settings.logLevel,
    json: settings.json,
    colour: process.stderr.isTTY === true && !env.NO_COLOR,
    write: (line) => process.stderr.write(line),
    now: () => new Date(),
  });
  const reach = (await loadReach?.())?.(settings, env, (text) => log.warn(text));
  const daemon = await startDaemon({
    settings,
    profile,
    log,
    env,
    // The journal, which others may read, gets none.
    showsCode: !isService(env),
    ...(loadGateway === undefined ? {} : { loadGateway }),
    ...(reach && { reach }),
    ...(loadBoard === undefined ? {} : { loadBoard }),
    ...(moreCommands === undefined ? {} : { moreCommands }),
  });
  const { link } = daemon.ready;
  // A journal or a file has no use for one.
  const isShown = link !== null && !output.json && process.stdout.isTTY === true;
  const qr = isShown ? await context.drawQrCode?.(link) : undefined;
  output.value(daemon.ready, () => readyText(daemon.ready, { qr, isService: isService(env) }));
  const notify = serviceNotify({ env, warn: (text) => log.warn(text) });
  await notify.ready();
  const started = profile === 'edge' ? setTimeout(collectGarbage, START_IS_OVER_MS) : undefined;
  await stopAsked(daemon, signal);
  clearTimeout(started);
  notify.close();
  log.info('stopping');
  await daemon.stop();
  return EXIT.done;
}

function stopAsked(daemon: Daemon, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  return Promise.race([aborted, daemon.stopAsked]);
}

interface ReadyTextInit {
  readonly qr: string | undefined;
  readonly isService: boolean;
}

/** What a person, or the journal, is told when the peer listens. */
export function readyText(ready: Ready, { qr, isService }: ReadyTextInit): string {
  const { peer, name, profile, code } = ready;
  const lines = [`Pipevine ${profile} "${name}" (${peer.slice(peer.lastIndexOf(':') + 1).slice(0, 8)})`, ''];
  const row = (label: string, ...texts: readonly string[]) => {
    for (const [index, text] of texts.entries()) lines.push(`  ${(index === 0 ? label : '').padEnd(13)} ${text}`);
  };
  if (ready.groupName === null) row('Group', 'none yet; next: pipevine join CODE');
  else row(profile === 'gateway' ? 'Home group' : 'Group', ready.groupName);
  if (isService && profile === 'gateway') row('Join code', 'make one with: sudo pipevine invite');
  if (code !== null) {
    row('Join code', code, `valid until ${ready.codeExpires}; on another machine: pipevine join CODE`);
  }
  row('Listening', ...ready.addresses);
  row('MQTT', ...ready.mqtt);
  row('Data', ready.home);
  row('Stop', isService ? 'systemctl stop pipevine' : `Ctrl-C, or: kill ${ready.pid}`);
  if (qr !== undefined) lines.push('', qr);
  return lines.join('\n');
}
