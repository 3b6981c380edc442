import type { Peer } from '@pipevine/runtime';
import type { SessionPhase } from '../peer/overlay-session.ts';
import type { AdminRequest } from './admin-route.ts';
import { chosenSession } from './chosen-session.ts';
import { type ListedThing, listedThing } from './list-things.ts';
import { type NamedRoute, namedRoute } from './named-route.ts';
import { type OverlayWatch, overlayWatch } from './overlay-watch.ts';

/** A question waits so long for a change, ms: proxies cut what is silent for half a minute. */
const WAIT_MS = 20_000;
/** As many as a browser draws in a moment. */
const MAX_THINGS = 2_000;

export interface OverlayPeer {
  readonly id: string;
  readonly name: string;
  readonly route: NamedRoute;
}

/** What the sidebar shows. */
export interface OverlayReport {
  /** For `?since=` of the next question. */
  readonly generation: number;
  readonly standIn: boolean;
  /** `absent`: not deployed, and no other one stands in. */
  readonly phase: SessionPhase | 'absent';
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly self: { readonly id: string; readonly name: string } | null;
  readonly group: { readonly id: string; readonly name: string } | null;
  /** This peer first, then by name. */
  readonly peers: readonly OverlayPeer[];
  /** By title. `route` is that to the peer, or the host, which speaks for it. */
  readonly things: readonly (ListedThing & { readonly route: NamedRoute })[];
  /** Peers and things that are not in the lists, as there are too many. */
  readonly omitted: number;
}

/** At once, or with `?since=GENERATION` when something is different from that, or `{generation}` alone when nothing was. */
export async function overlayReport(request: AdminRequest): Promise<OverlayReport | { readonly generation: number }> {
  const chosen = chosenIfAny(request);
  if (chosen === undefined) return ABSENT;
  const { session, standIn } = chosen;
  const watch = overlayWatch(session);
  const since = Number(request.query.since);
  await watch.change(since, WAIT_MS, request.signal);
  const { generation } = watch;
  if (since === generation) return { generation };
  const { peer, group, state } = session;
  const { phase, error } = state;
  return {
    generation,
    standIn,
    phase,
    error: error === undefined ? null : { code: error.code, message: error.message },
    self: peer === undefined ? null : { id: peer.id, name: peer.name },
    group: group === undefined ? null : { id: group.id, name: group.name },
    ...(peer === undefined ? { peers: [], things: [], omitted: 0 } : listed(peer, watch)),
  };
}

const ABSENT: OverlayReport = {
  generation: 0,
  standIn: false,
  phase: 'absent',
  error: null,
  self: null,
  group: null,
  peers: [],
  things: [],
  omitted: 0,
};

/** That nothing runs yet is no failure here: a browser would log it as one each time. */
function chosenIfAny(request: AdminRequest): ReturnType<typeof chosenSession> | undefined {
  try {
    return chosenSession(request);
  } catch {
    return undefined;
  }
}

function listed(peer: Peer, watch: OverlayWatch): Pick<OverlayReport, 'peers' | 'things' | 'omitted'> {
  const names = new Map(watch.names).set(peer.id, peer.name);
  const peers = [...names].map(([id, name]) => ({ id, name, route: namedRoute(peer, names, id) }));
  const rank = ({ route }: OverlayPeer) => (route.state === 'self' ? 0 : 1);
  peers.sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name) || a.id.localeCompare(b.id));
  const all = [...(watch.directory?.things ?? [])].sort(
    (a, b) => a.title.localeCompare(b.title) || a.id.localeCompare(b.id),
  );
  const things = all.slice(0, MAX_THINGS).map((thing) => ({
    ...listedThing(thing),
    route: namedRoute(peer, names, thing.peer),
  }));
  return { peers, things, omitted: watch.notKept + all.length - things.length };
}
