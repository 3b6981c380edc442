import { PipevineError } from '@pipevine/runtime';
import type { Arguments } from '../arguments/command-spec.ts';
import { ControlClient } from '../control/control-client.ts';
import type { Params } from '../control/json-rpc.ts';
import { findGroup, isCode, type JoinTarget, joinGroup } from '../daemon/join-group.ts';
import { openPeer } from '../daemon/open-peer.ts';
import { rememberSeeds } from '../daemon/remembered-seeds.ts';
import { controlSocketOf } from '../home/control-socket.ts';
import { readPassword } from '../input/password.ts';
import { EXIT } from '../output/exit-code.ts';
import { askDaemon, type CommandContext, nameOf, textOf } from './command-context.ts';

/** Who finds and joins: the running daemon, or, where there is none, a peer that lives as long as this command. */
interface Joiner {
  readonly hasDaemon: boolean;
  /** `{id, name, policy}` of the group. */
  find(text: string): Promise<Params>;
  join(target: JoinTarget): Promise<Params>;
  close(): Promise<void>;
}

/** The short form: a code and nothing else. */
export function joinByCode(context: CommandContext, code: string): Promise<number> {
  return joining(context, async (joiner) => joiner.join({ code }));
}

export function join(context: CommandContext, { positionals: [text = ''], local }: Arguments): Promise<number> {
  return joining(context, async (joiner) => {
    if (isCode(text)) return joiner.join({ code: text });
    const { id, name, policy } = await joiner.find(text);
    const asks = policy === 'password' || local['password-file'] !== undefined;
    if (policy === 'code') {
      throw new PipevineError(
        'refused',
        `${nameOf(name)} takes members by join codes; ask for one: pipevine group join CODE`,
      );
    }
    const password = asks ? await readPassword(context.input, local, `Password of ${nameOf(name)}`) : undefined;
    return joiner.join({ group: textOf(id), ...(password === undefined ? {} : { password }) });
  });
}

async function joining(context: CommandContext, run: (joiner: Joiner) => Promise<Params>): Promise<number> {
  const { settings, output } = context;
  const client = await ControlClient.connect(controlSocketOf(settings.home));
  client?.close();
  const joiner = client === undefined ? await ownPeer(context) : daemon(context);
  try {
    const done = await run(joiner);
    output.value(done, () => {
      const next = joiner.hasDaemon ? '' : `\nNext: pipevine up --profile edge --home ${settings.home}`;
      if (done.state !== 'pending') return `Joined ${nameOf(done.groupName)}.${next}`;
      const goesOn = joiner.hasDaemon ? 'The running peer goes on asking.' : 'A running peer goes on asking.';
      const counts = Number(done.needed) > 1 ? ` (${done.have} of ${done.needed})` : '';
      return `Application to ${nameOf(done.groupName)} sent; waiting for approval${counts}. ${goesOn}${next}`;
    });
    return EXIT.done;
  } finally {
    await joiner.close();
  }
}

function daemon(context: CommandContext): Joiner {
  const seeds = context.settings.seed;
  return {
    hasDaemon: true,
    find: async (text) => (await askDaemon(context, 'group.find', { group: text, seeds })) as Params, // {id, name, policy}
    // The short form of the method is the older one; both answer {state, group, groupName}.
    join: async (target) => (await askDaemon(context, 'group.join', { ...target, seeds })) as Params,
    close: async () => {},
  };
}

async function ownPeer({ settings, signal, env, output, loadReach }: CommandContext): Promise<Joiner> {
  const reach = (await loadReach?.())?.(settings, env, (text) => output.notice(text));
  const { peer, platform, close } = await openPeer(settings, {
    profile: 'edge',
    listen: [],
    ...(reach && { reach }),
  });
  const options = {
    addresses: settings.seed,
    signal,
    ...(settings.timeoutMs === undefined ? {} : { timeoutMs: settings.timeoutMs }),
  };
  return {
    hasDaemon: false,
    find: (text) => findGroup(peer, text, options),
    join: async (target) => {
      const done = await joinGroup(peer, target, options);
      await rememberSeeds(platform.storage, settings.seed, platform.clock.wallMs());
      return { peer: peer.id, ...done };
    },
    close,
  };
}
