import {
  type ExposedThing,
  type GroupId,
  type InteractionContext,
  type JsonValue,
  may,
  type Peer,
  type PeerGroup,
  PipevineError,
  shortPeerId,
  type ThingHandlers,
  type ThingInit,
} from '@pipevine/runtime';
import { type Board, type BoardPlatform, nodeBoardPlatform, openBoard } from '@pipevine/transports';
import { readBoardSection } from '../config/board-section.ts';
import type { Settings } from '../config/settings.ts';
import { BoardSampler } from './board-sampler.ts';
import type { Log } from './log.ts';
import { type JsonObject, ownGroups } from './reports.ts';
import { SerialPipe } from './serial-pipe.ts';

export interface StartBoardInit {
  readonly peer: Peer;
  readonly log: Log;
  /** Default: the board that this process runs on. */
  readonly platform?: BoardPlatform;
}

/** The board as the daemon sees it. */
export interface ShownBoard {
  /** Bounded tables, by name. */
  status(): JsonObject;
  /** Idempotent. */
  close(): Promise<void>;
}

export type BoardStarter = (init: StartBoardInit) => Promise<ShownBoard>;

/** What only a peer that shows its board loads. */
export interface BoardModule {
  prepareBoard(settings: Pick<Settings, 'board' | 'configFile'>): BoardStarter;
}

/** Checks the configuration before anything starts. Throws `invalid-argument` with the place in the file. */
export function prepareBoard({ board, configFile = '' }: Pick<Settings, 'board' | 'configFile'>): BoardStarter {
  const config = readBoardSection(board?.section, configFile);
  return async ({ peer, log, platform = nodeBoardPlatform() }) => {
    const groups = new Map<GroupId, ExposedThing | undefined>();
    const exposed = () => [...groups.values()].filter((thing) => thing !== undefined);
    const changed = (name: string, value: JsonValue) => {
      const reading = { value, timestampMs: platform.clock.wallMs() };
      for (const thing of exposed()) thing.emitPropertyChange(name, reading);
    };
    const outlets = {
      changed,
      happened: (name: string, data: JsonValue) => {
        for (const thing of exposed()) thing.emitEvent(name, data);
      },
      warn: (text: string) => log.warn(`board: ${text}`),
    };
    const opened = await openBoard({ platform, config, outlets });
    const sampler = new BoardSampler({
      clock: platform.clock,
      properties: opened.properties,
      onChange: changed,
      onFault: (name, error) => log.debug(`board: ${name}: ${error instanceof Error ? error.message : String(error)}`),
    });
    const serial = config.serial.map((port) => new SerialPipe({ config: port, ports: platform.serialPorts, log }));
    const thing = thingOf(opened, config.name ?? peer.name);
    const handlers = handlersOf(opened, log, () => platform.clock.wallMs());

    const show = async (group: PeerGroup) => {
      if (groups.has(group.id)) return;
      groups.set(group.id, undefined);
      try {
        const shown = await group.expose(thing, handlers);
        if (groups.has(group.id)) groups.set(group.id, shown);
        for (const port of serial) await port.listen(group);
      } catch (error) {
        log.warn(
          `the board is not shown in "${group.name}": ${error instanceof Error ? error.message : String(error)}`,
        );
      }
    };
    const unsubscribe = peer.subscribe((notice) => {
      if (notice.type === 'group-joined') {
        const group = ownGroups(peer).find(({ id }) => id === notice.group);
        if (group !== undefined) void show(group);
      } else if (notice.type === 'group-left') {
        groups.delete(notice.group);
        for (const port of serial) port.forget(notice.group);
      }
    });
    await Promise.all(ownGroups(peer).map(show));
    let closing: Promise<void> | undefined;
    const close = async () => {
      unsubscribe();
      sampler.close();
      await Promise.all(serial.map((port) => port.close()));
      await opened.close();
    };
    return {
      status: () =>
        Object.fromEntries(
          config.serial.map(({ name }, index) => [`serial pipe ${name}`, { ...serial[index]?.status }]),
        ),
      close: () => {
        closing ??= close();
        return closing;
      },
    };
  };
}

function thingOf({ properties, events, actions }: Board, title: string): ThingInit {
  const affordances = <T>(of: readonly { readonly name: string; readonly affordance: T }[]) =>
    Object.fromEntries(of.map(({ name, affordance }) => [name, affordance]));
  return {
    title,
    description: 'The board on which the peer runs',
    properties: affordances(properties),
    ...(events.length > 0 && { events: affordances(events) }),
    ...(actions.length > 0 && { actions: affordances(actions) }),
  };
}

function handlersOf(board: Board, log: Log, nowMs: () => number): ThingHandlers {
  const properties = new Map(board.properties.map((property) => [property.name, property]));
  const actions = new Map(board.actions.map((action) => [action.name, action]));
  return {
    readProperty: async (name) => {
      const value = await known(properties, name).read();
      return { value, timestampMs: nowMs() };
    },
    writeProperty: async (name, value) => {
      const { write } = known(properties, name);
      if (write === undefined) throw new PipevineError('refused', `"${name}" is read-only`);
      await write(value);
    },
    invokeAction: async (name, _input, context) => {
      const action = known(actions, name);
      if (action.guarded) checkAdministrator(name, context);
      log.info(`board: ${name} by ${shortPeerId(context.remotePeer)}`);
      return action.invoke();
    },
  };
}

/** The server asks for what is in the description only; there is no other way here. */
function known<T>(of: ReadonlyMap<string, T>, name: string): T {
  const found = of.get(name);
  if (found === undefined) throw new PipevineError('not-found', `the board has no "${name}"`);
  return found;
}

/** Roles tell who administers: what a single capability adds to them, the asker's interaction does not show. */
function checkAdministrator(name: string, { remotePeer, roles }: InteractionContext): void {
  if (may({ roles, capabilities: [] }, 'administer')) return;
  throw new PipevineError(
    'refused',
    `"${name}" is for administrators of the group; ${shortPeerId(remotePeer)} has the roles ${roles.join(', ') || 'none'}`,
  );
}
