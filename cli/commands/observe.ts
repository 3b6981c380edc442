import { setTimeout as delay } from 'node:timers/promises';
import { PipevineError } from '@pipevine/runtime';
import { ControlClient } from '../control/control-client.ts';
import type { Params } from '../control/json-rpc.ts';
import { controlSocketOf } from '../home/control-socket.ts';
import { EXIT } from '../output/exit-code.ts';
import { type CommandContext, connectDaemon, textOf } from './command-context.ts';
import { plainValue } from './interact.ts';

/** Pause between two looks for a daemon that went away. */
const RETRY_MS = 1_000;

/** Prints values until Ctrl-C; an interruption on the way, and a restart of the own daemon, are noticed and waited out. */
export async function observe(context: CommandContext, thing: string, property: string): Promise<number> {
  const { signal, output } = context;
  let client: ControlClient | undefined = await connectDaemon(context);
  let succeeded = false;
  while (!signal.aborted && client !== undefined) {
    try {
      for await (const notice of client.stream('observe', { thing, property }, { signal })) {
        succeeded = true;
        show(context, notice as Params); // `observe` emits objects
      }
      return EXIT.done;
    } catch (error) {
      const daemonGone = error instanceof PipevineError && error.code === 'closed';
      // After a restart the thing may not be known again at once.
      const notYet = error instanceof PipevineError && error.code === 'not-found';
      if (!succeeded || !(daemonGone || notYet)) throw error;
      if (daemonGone) output.notice('the daemon has stopped; waiting for it to come back');
    } finally {
      client.close();
    }
    client = await daemonAgain(context);
  }
  return EXIT.done;
}

async function daemonAgain({ settings, signal }: CommandContext): Promise<ControlClient | undefined> {
  while (!signal.aborted) {
    await delay(RETRY_MS, undefined, { signal }).catch(() => {});
    const client = await ControlClient.connect(controlSocketOf(settings.home));
    if (client !== undefined) return client;
  }
  return undefined;
}

function show({ output }: CommandContext, notice: Params): void {
  switch (notice.type) {
    case 'value':
      output.value(notice, () => plainValue(notice.value));
      return;
    case 'event':
      output.value(notice, () => plainValue(notice.data));
      if (Number(notice.lost) > 0) output.notice(`${notice.lost} events were lost: this side was too slow`);
      return;
    default:
      if (output.json) output.value(notice, () => '');
      else output.notice(notice.type === 'interrupted' ? `interrupted: ${textOf(notice.reason)}; waiting` : 'resumed');
  }
}
