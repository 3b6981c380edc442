import {
  ADVERTISEMENT_KINDS,
  type ConsumedThing,
  type JsonValue,
  type NamedPipes,
  type ObservationNotice,
  type PathReport,
  type Peer,
  type PeerGroup,
  type PeerId,
  PipevineError,
  type ThingSummary,
  WORLD_GROUP,
} from '@pipevine/runtime';
import type { ControlContext, ControlMethods } from '../control/control-server.ts';
import { resolveMember, resolveName } from '../naming/resolve-name.ts';
import { typedValue } from '../values/typed-value.ts';
import { explainMethods } from './explain-methods.ts';
import { findPeers } from './find-peers.ts';
import { groupMethods } from './group-methods.ts';
import { relaysReport, rendezvousReport } from './group-reports.ts';
import { joinGroup } from './join-group.ts';
import { Parameters } from './parameters.ts';
import { pipeMethods } from './pipe-methods.ts';
import {
  advertisementReport,
  isoTime,
  type JsonObject,
  linkReport,
  ownGroups,
  peerReport,
  readingReport,
  thingReport,
} from './reports.ts';
import { findTimeout, waiting } from './waiting.ts';

/** What the methods need besides the peer. */
export interface ControlledDaemon {
  readonly peer: Peer;
  /** Constant facts of `status`: profile, version, pid, home. */
  readonly facts: JsonObject;
  /** Changing ones: memory, devices, further bounded tables. */
  status(): { readonly facts: JsonObject; readonly queues: JsonObject };
  /** A group was joined with the help of these addresses. */
  joined(seeds: readonly string[]): Promise<void>;
  /** The pipes of a group by name. Absent in a build without them. */
  readonly pipes?: (group: PeerGroup) => NamedPipes;
  /** Which path carries traffic to a peer. Absent in a build without it. */
  readonly explain?: (peer: PeerId) => PathReport;
  stop(): void;
}

/** The methods of the control socket, by name. Their parameters and results are described in docs/cli.md. */
export function controlMethods(daemon: ControlledDaemon): ControlMethods {
  const { peer } = daemon;
  return {
    status: async () => {
      const status = peer.status();
      const own = daemon.status();
      return {
        peer: status.peer,
        name: status.name,
        ...daemon.facts,
        roles: [...status.roles],
        uptimeMs: Math.round(status.uptimeMs),
        groups: status.groups.map(({ id, name, roles }) => {
          const group = id === WORLD_GROUP ? undefined : peer.group(id);
          const rendezvous = group === undefined ? null : rendezvousReport(group.rendezvous());
          const relays = group === undefined ? null : relaysReport(group.relays());
          return { id, name, roles: [...roles], rendezvous, relays };
        }),
        applications: peer.applications.map(({ group, name, since }) => ({ group, name, since: isoTime(since) })),
        addresses: [...status.addresses],
        links: status.links.map(linkReport),
        ...own.facts,
        queues: { ...Object.fromEntries(Object.entries(status.queues).map(([k, v]) => [k, { ...v }])), ...own.queues },
      };
    },

    peers: async (params, context) => {
      const given = new Parameters('peers', params);
      for (const facts of await findPeers(peer, context.signal, findTimeout(given.timeoutMs()))) {
        await context.emit(peerReport(facts));
      }
      return null;
    },

    things: async (params, context) => {
      const given = new Parameters('things', params);
      const title = given.optionalText('name');
      const connector = given.optionalText('connector');
      const filter = { ...(title === undefined ? {} : { title }), ...(connector === undefined ? {} : { connector }) };
      const options = { signal: context.signal, timeoutMs: findTimeout(given.timeoutMs()) };
      await eachGroup(ownGroups(peer), async (group) => {
        for await (const thing of group.things(filter, options)) await context.emit(thingReport(thing));
      });
      return null;
    },

    discover: async (params, context) => {
      const given = new Parameters('discover', params);
      const kind = given.choice('kind', ADVERTISEMENT_KINDS);
      const name = given.optionalText('name');
      const query = { kind, attributes: given.texts('attributes'), ...(name === undefined ? {} : { name }) };
      const options = { signal: context.signal, timeoutMs: findTimeout(given.timeoutMs()) };
      await eachGroup(peer.groups, async (group) => {
        for await (const found of group.discover(query, options)) await context.emit(advertisementReport(found));
      });
      return null;
    },

    read: async (params, context) => {
      const given = new Parameters('read', params);
      const { thing, group } = await findThing(peer, given.text('thing'), context, given.timeoutMs());
      const { properties } = thing.description;
      const { name } = resolveMember('property', given.text('property'), properties, thing.title);
      return using(group, thing, async (consumed) =>
        readingReport(await consumed.readProperty(name, waiting(context, given.timeoutMs()))),
      );
    },

    write: async (params, context) => {
      const given = new Parameters('write', params);
      const { thing, group } = await findThing(peer, given.text('thing'), context, given.timeoutMs());
      const { properties } = thing.description;
      const { name, affordance } = resolveMember('property', given.text('property'), properties, thing.title);
      const what = `property "${name}" of "${thing.title}"`;
      if (affordance.readOnly === true) {
        throw new PipevineError('refused', `${what} is read-only; \`pipevine read\` shows its value`);
      }
      const value = typedValue(given.text('value'), affordance, what);
      await using(group, thing, (consumed) => consumed.writeProperty(name, value, waiting(context, given.timeoutMs())));
      return { value };
    },

    invoke: async (params, context) => {
      const given = new Parameters('invoke', params);
      const { thing, group } = await findThing(peer, given.text('thing'), context, given.timeoutMs());
      const { actions } = thing.description;
      const { name, affordance } = resolveMember('action', given.text('action'), actions, thing.title);
      const written = given.optionalText('input');
      const what = `action "${name}" of "${thing.title}"`;
      const input = written === undefined ? undefined : typedValue(written, affordance.input, what);
      const output = await using(group, thing, (consumed) =>
        consumed.invokeAction(name, input, waiting(context, given.timeoutMs())),
      );
      return { output: output ?? null };
    },

    observe: async (params, context) => {
      const given = new Parameters('observe', params);
      const { thing, group } = await findThing(peer, given.text('thing'), context, given.timeoutMs());
      const wanted = given.text('property');
      const { properties = {}, events = {} } = thing.description;
      // What people call "observe" is both: a property's changes, and an event's occurrences.
      const isEvent = properties[wanted] === undefined && events[wanted] !== undefined;
      const name = isEvent ? wanted : resolveMember('property', wanted, properties, thing.title).name;
      const { signal } = context;
      await using(group, thing, async (consumed) => {
        const notices = isEvent
          ? consumed.subscribeEvent(name, { signal })
          : consumed.observeProperty(name, { signal });
        for await (const notice of notices) await context.emit(noticeReport(notice));
      });
      return null;
    },

    join: async (params, context) => {
      const given = new Parameters('join', params);
      const addresses = given.textList('seeds');
      const options = { addresses, ...waiting(context, given.timeoutMs()) };
      const done = await joinGroup(peer, { code: given.text('code') }, options);
      await daemon.joined(addresses);
      return done;
    },

    ...groupMethods(daemon),

    ...pipeMethods(daemon),

    ...explainMethods(daemon),

    stop: async () => {
      daemon.stop();
      return null;
    },
  };
}

/** All groups at once; the first failure ends the others' part, too. */
async function eachGroup(groups: readonly PeerGroup[], visit: (group: PeerGroup) => Promise<void>): Promise<void> {
  await Promise.all(groups.map(visit));
}

async function using<T>(
  group: PeerGroup,
  thing: ThingSummary,
  use: (consumed: ConsumedThing) => Promise<T>,
): Promise<T> {
  const consumed = await group.consume(thing);
  try {
    return await use(consumed);
  } finally {
    await consumed.close();
  }
}

async function findThing(
  peer: Peer,
  text: string,
  context: ControlContext,
  timeoutMs: number | undefined,
): Promise<{ thing: ThingSummary; group: PeerGroup }> {
  const groups = ownGroups(peer);
  if (groups.length === 0) {
    throw new PipevineError(
      'not-found',
      'this peer is in no group yet; `pipevine join CODE` with a code from a gateway',
    );
  }
  const candidates: { name: string; ids: string[]; thing: ThingSummary; group: PeerGroup }[] = [];
  const enough = new AbortController();
  const signal = AbortSignal.any([context.signal, enough.signal]);
  await eachGroup(groups, async (group) => {
    try {
      for await (const thing of group.things(undefined, { signal, timeoutMs: findTimeout(timeoutMs) })) {
        candidates.push({ name: thing.title, ids: [thing.id, thing.peer], thing, group });
        // An id names one thing; nothing that is still to come could make it ambiguous.
        if (thing.id === text) enough.abort();
      }
    } catch (error) {
      if (!enough.signal.aborted) throw error;
    }
  });
  return resolveName('thing', text, candidates);
}

function noticeReport(notice: ObservationNotice): JsonValue {
  switch (notice.type) {
    case 'value':
      return { type: 'value', ...readingReport(notice.reading) };
    case 'event':
      return { type: 'event', data: notice.data ?? null, timestamp: isoTime(notice.timestampMs), lost: notice.lost };
    case 'interrupted':
      return { type: 'interrupted', code: notice.error.code, reason: notice.error.message };
    case 'resumed':
      return { type: 'resumed' };
  }
}
