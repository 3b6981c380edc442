import { type EndpointAddress, type PeerGroup, PipevineError } from '@pipevine/runtime';
import type { MoreCommands } from '../commands/command-context.ts';
import type { Profile, Settings } from '../config/settings.ts';
import { ControlServer } from '../control/control-server.ts';
import { prepareControlSocket, removeControlSocket } from '../home/control-socket.ts';
import { VERSION } from '../version.ts';
import type { BoardModule, ShownBoard } from './board-thing.ts';
import { type ControlledDaemon, controlMethods } from './control-methods.ts';
import type { Devices, GatewayModule } from './devices.ts';
import { joinLink } from './join-link.ts';
import type { Log } from './log.ts';
import { logPeerNotice } from './notice-log.ts';
import { DEFAULT_PORT, type OpenedPeer, openPeer, type Reach } from './open-peer.ts';
import { rememberSeeds } from './remembered-seeds.ts';
import { ownGroups } from './reports.ts';

/** How long the code that is shown at the start can be used, and how many machines it admits. */
const START_CODE_LIFETIME_MS = 24 * 3_600_000;
const START_CODE_USES = 16;
/** What is not closed by then is left to the operating system. */
const STOP_TIMEOUT_MS = 5_000;

/** What `up` prints when all is there. */
export interface Ready {
  readonly event: 'ready';
  readonly peer: string;
  readonly name: string;
  readonly profile: Profile;
  /** The home group; null for an edge that has joined none yet. */
  readonly group: string | null;
  readonly groupName: string | null;
  /** The join code; null where none is shown, or this peer cannot invite. */
  readonly code: string | null;
  readonly link: string | null;
  readonly codeExpires: string | null;
  readonly addresses: readonly EndpointAddress[];
  readonly mqtt: readonly string[];
  readonly home: string;
  readonly pid: number;
  readonly version: string;
}

export interface Daemon {
  readonly ready: Ready;
  /** Settles when a command asked for a stop. */
  readonly stopAsked: Promise<void>;
  /** Closes everything in good order, within 5 s. Idempotent. */
  stop(): Promise<void>;
}

export interface DaemonInit {
  readonly settings: Settings;
  readonly profile: Profile;
  readonly log: Log;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether somebody looks on who is shown a join code. */
  readonly showsCode: boolean;
  /** Absent in a build for edges. */
  readonly loadGateway?: () => Promise<GatewayModule>;
  /** Absent: TCP alone. */
  readonly reach?: Reach;
  readonly moreCommands?: MoreCommands;
  /** Shows the board as a thing. Absent in a build for edges. */
  readonly loadBoard?: () => Promise<BoardModule>;
}

/** Starts a peer with all that its profile asks for. What it had started before a failure is closed again. */
export async function startDaemon(init: DaemonInit): Promise<Daemon> {
  const { settings, profile, log, env } = init;
  const gateway = profile === 'gateway' ? await gatewayModule(init) : undefined;
  const startBoard = settings.board === undefined ? undefined : (await boardModule(init)).prepareBoard(settings);
  const opened = await openPeer(settings, {
    profile,
    listen: settings.listen ?? defaultListen(profile, init.reach?.schemes),
    ...(init.reach && { reach: init.reach }),
    ...(gateway === undefined ? {} : { gateway }),
  });
  const closers: (() => Promise<void> | void)[] = [() => opened.close()];
  const stop = once(async () => {
    const deadline = opened.platform.clock;
    const late = new Promise<'late'>((resolve) => deadline.setTimer(STOP_TIMEOUT_MS, () => resolve('late')));
    if ((await Promise.race([closeAll(closers, log), late])) === 'late') log.warn('some parts did not stop in time');
  });
  try {
    const { peer, platform } = opened;
    closers.push(peer.subscribe((notice) => logPeerNotice(log, notice)));
    let devices: Devices | undefined;
    let group: PeerGroup | undefined = ownGroups(peer)[0];
    if (gateway !== undefined) {
      const homeGroup = async () => {
        group ??= await peer.createGroup({ name: `home of ${peer.name}` });
        return group;
      };
      devices = await gateway.startDevices({ peer, homeGroup, platform, settings, log });
      closers.push(() => devices?.close());
    }
    const board = await startBoard?.({ peer, log });
    if (board !== undefined) closers.push(() => board.close());
    const { promise: stopAsked, resolve: askStop } = Promise.withResolvers<void>();
    const socket = prepareControlSocket(settings.home, env.XDG_RUNTIME_DIR);
    const controlled: ControlledDaemon = {
      pipes: (group) => group.namedPipes,
      explain: (other) => peer.explain(other),
      peer,
      facts: { profile, version: VERSION, pid: process.pid, home: settings.home },
      status: () => daemonStatus(control, devices, board),
      joined: (seeds) => rememberSeeds(platform.storage, seeds, platform.clock.wallMs()),
      stop: askStop,
    };
    const moreMethods = await init.moreCommands?.loadMethods();
    const control: ControlServer = await ControlServer.listen(socket, {
      ...controlMethods(controlled),
      ...moreMethods?.(controlled),
    });
    closers.push(async () => {
      await control.close();
      removeControlSocket(settings.home, socket);
    });
    const code = group === undefined || !init.showsCode ? undefined : await startCode(opened, group, profile);
    const ready: Ready = {
      event: 'ready',
      peer: peer.id,
      name: peer.name,
      profile,
      group: group?.id ?? null,
      groupName: group?.name ?? null,
      code: code ?? null,
      link: code === undefined ? null : joinLink(code, peer.addresses),
      codeExpires: code === undefined ? null : new Date(platform.clock.wallMs() + START_CODE_LIFETIME_MS).toISOString(),
      addresses: peer.addresses,
      mqtt: devices?.mqtt ?? [],
      home: settings.home,
      pid: process.pid,
      version: VERSION,
    };
    return { ready, stopAsked, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function gatewayModule({ loadGateway }: DaemonInit): Promise<GatewayModule> {
  if (loadGateway !== undefined) return loadGateway();
  throw new PipevineError(
    'unsupported',
    'this build is for edge peers only; install the full pipevine, or use --profile edge',
  );
}

function boardModule({ loadBoard }: DaemonInit): Promise<BoardModule> {
  if (loadBoard !== undefined) return loadBoard();
  throw new PipevineError(
    'unsupported',
    'this build cannot show the board; install the full pipevine, or remove "board" from the configuration',
  );
}

function defaultListen(profile: Profile, schemes: readonly string[] = ['tcp']): readonly EndpointAddress[] {
  return schemes.map((scheme) => `${scheme}://0.0.0.0:${profile === 'gateway' ? DEFAULT_PORT : 0}`);
}

/** A fresh code each start: earlier ones stay valid until they run out. */
async function startCode(opened: OpenedPeer, group: PeerGroup, profile: Profile): Promise<string | undefined> {
  if (profile === 'edge') return undefined;
  try {
    return await opened.peer.invite(group.id, { lifetimeMs: START_CODE_LIFETIME_MS, uses: START_CODE_USES });
  } catch (error) {
    // A gateway may have joined another's group, where only the administrators invite.
    if (error instanceof PipevineError && error.code === 'refused') return undefined;
    throw error;
  }
}

function daemonStatus(control: ControlServer, devices: Devices | undefined, board: ShownBoard | undefined) {
  const { clients, limit, refused } = control.status;
  const own = devices?.status();
  return {
    facts: { memoryBytes: process.memoryUsage.rss(), ...own?.facts },
    queues: { 'control clients': { used: clients, limit, dropped: refused }, ...own?.queues, ...board?.status() },
  };
}

/** In reverse order; one that fails does not keep the others open. */
async function closeAll(closers: (() => Promise<void> | void)[], log: Log): Promise<void> {
  for (const close of closers.splice(0).reverse()) {
    try {
      await close();
    } catch (error) {
      log.warn(`stopping: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

function once(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= run();
    return running;
  };
}
