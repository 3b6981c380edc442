import { PipevineError } from '@pipevine/runtime';
import type { Arguments } from '../arguments/command-spec.ts';
import type { Settings } from '../config/settings.ts';
import { ControlClient } from '../control/control-client.ts';
import type { Params } from '../control/json-rpc.ts';
import { JOIN_TIMEOUT_MS } from '../daemon/control-methods.ts';
import { openPeer } from '../daemon/open-peer.ts';
import { rememberSeeds } from '../daemon/remembered-seeds.ts';
import { controlSocketOf } from '../home/control-socket.ts';
import { parseDuration } from '../output/duration.ts';
import { EXIT } from '../output/exit-code.ts';
import { askDaemon, type CommandContext, textOf } from './command-context.ts';

export async function invite(context: CommandContext, options: Arguments['local']): Promise<number> {
  const { output } = context;
  const { lifetime: [lifetime] = [], uses: [usesText] = [], group: [group] = [] } = options;
  const lifetimeMs = lifetime === undefined ? undefined : parseDuration(lifetime);
  if (lifetime !== undefined && !lifetimeMs) {
    throw new PipevineError(
      'invalid-argument',
      `--lifetime: expected a time such as 15min, 24h or 7d, not "${lifetime}"`,
    );
  }
  const uses = usesText === undefined ? undefined : Number(usesText);
  if (uses !== undefined && !(Number.isInteger(uses) && uses > 0)) {
    throw new PipevineError('invalid-argument', `--uses: expected a whole number above 0, not "${usesText}"`);
  }
  const made = (await askDaemon(context, 'invite', {
    ...(group === undefined ? {} : { group }),
    ...(lifetimeMs === undefined ? {} : { lifetimeMs }),
    ...(uses === undefined ? {} : { uses }),
  })) as Params; // `invite` answers an object
  const qr = output.json ? undefined : await context.drawQrCode?.(textOf(made.link));
  output.value(made, () => {
    const lines = [`Join code for ${textOf(made.groupName)}:`, '', `  ${textOf(made.code)}`, ''];
    return [...lines, 'On the other machine: pipevine join CODE', ...(qr === undefined ? [] : ['', qr])].join('\n');
  });
  return EXIT.done;
}

/** Joins through the running daemon, or, where there is none, by a peer that lives as long as this command. */
export async function join(context: CommandContext, code: string): Promise<number> {
  const { settings, output, signal } = context;
  const client = await ControlClient.connect(controlSocketOf(settings.home));
  let joined: Params;
  if (client !== undefined) {
    client.close();
    joined = (await askDaemon(context, 'join', { code, seeds: settings.seed })) as Params; // `join` answers an object
  } else joined = await joinWithoutDaemon(settings, code, signal);
  output.value(joined, () => {
    const next = client === undefined ? `\nNext: pipevine up --profile edge --home ${settings.home}` : '';
    return `Joined ${textOf(joined.groupName)}.${next}`;
  });
  return EXIT.done;
}

async function joinWithoutDaemon(settings: Settings, code: string, signal: AbortSignal): Promise<Params> {
  const opened = await openPeer(settings, { profile: 'edge', listen: [] });
  try {
    const { peer, platform } = opened;
    const timeoutMs = settings.timeoutMs ?? JOIN_TIMEOUT_MS;
    const group = await peer.join(code, { addresses: settings.seed, signal, timeoutMs });
    await rememberSeeds(platform.storage, settings.seed, platform.clock.wallMs());
    return { peer: peer.id, group: group.id, groupName: group.name };
  } finally {
    await opened.close();
  }
}
