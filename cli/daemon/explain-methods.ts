import { type PathReport, type Peer, type PeerId, PipevineError } from '@pipevine/runtime';
import type { ControlContext, ControlMethods } from '../control/control-server.ts';
import type { ControlledDaemon } from './control-methods.ts';
import { findPeers } from './find-peers.ts';
import { ownFacts, peerAmong } from './named-peer.ts';
import { Parameters } from './parameters.ts';
import { isoTime, type JsonObject, linkReport, ownGroups, type PeerFacts, pathReport } from './reports.ts';
import { findTimeout } from './waiting.ts';

/** How long a peer that nothing is carried to is tried before it is told how it stands, ms. */
const TRIAL_MS = 5_000;
/** Nobody has to listen under it: an answer that nobody does shows a way as well. */
const TRIAL_PIPE = 'explain';

/** Which path carries traffic to a peer, for commands. */
export function explainMethods({ peer, explain }: ControlledDaemon): ControlMethods {
  return {
    explain: async (params, context) => {
      const given = new Parameters('explain', params);
      if (explain === undefined) {
        throw new PipevineError('unsupported', 'this peer was assembled without what explains paths');
      }
      const timeoutMs = given.timeoutMs();
      const found = await findPeers(peer, context.signal, findTimeout(timeoutMs));
      const facts = await target(peer, given.text('peer'), found, context, findTimeout(timeoutMs));
      let report = explain(facts.id);
      let trial: JsonObject | null = null;
      const { state } = report.summary;
      if ((given.optionalFlag('connect') ?? true) && (state === 'ready' || state === 'none')) {
        trial = await tryOut(peer, facts, report, context, Math.min(timeoutMs ?? TRIAL_MS, TRIAL_MS));
        report = explain(facts.id);
        // A relay or an address to try is no way when nobody was there.
        if (trial?.reached === false && report.summary.state === 'ready') report = away(report);
      }
      const names = new Map([ownFacts(peer), ...found].map(({ id, name }) => [id, name]));
      return pathJson(report, (id) => names.get(id) ?? '', facts.name, trial);
    },
  };
}

/** A peer, or the one that a thing is at. */
async function target(
  peer: Peer,
  text: string,
  found: readonly PeerFacts[],
  { signal }: ControlContext,
  timeoutMs: number,
): Promise<PeerFacts> {
  const peers = new Map([ownFacts(peer), ...found].map((facts) => [facts.id, facts]));
  try {
    return peerAmong(text, [...peers.values()]);
  } catch (error) {
    if (!(error instanceof PipevineError) || error.code !== 'not-found') throw error;
  }
  await Promise.all(
    ownGroups(peer).map(async (group) => {
      for await (const thing of group.things(undefined, { signal, timeoutMs })) {
        const known = peers.get(thing.peer);
        const name = known?.name || thing.title;
        peers.set(thing.peer, { id: thing.peer, name, groups: [group.id], link: known?.link });
      }
    }),
  );
  return peerAmong(text, [...peers.values()]);
}

/** Binds a pipe: whatever the peer answers, there is a way. Null without a group to do it in. */
async function tryOut(
  peer: Peer,
  { id }: PeerFacts,
  report: PathReport,
  { signal }: ControlContext,
  timeoutMs: number,
): Promise<JsonObject | null> {
  const [shared] = report.groups;
  const group = shared && peer.group(shared.id);
  if (group === undefined) return null;
  const startedAtMs = performance.now();
  const result = (reached: boolean, error?: PipevineError): JsonObject => ({
    reached,
    elapsedMs: Math.round(performance.now() - startedAtMs),
    code: reached ? null : (error?.code ?? null),
    reason: reached ? null : (error?.message ?? null),
  });
  try {
    const pipe = await group.connect({ peer: id, name: TRIAL_PIPE, signal, timeoutMs });
    await pipe.close({ timeoutMs: 0 });
    return result(true);
  } catch (error) {
    if (!(error instanceof PipevineError)) throw error;
    return result(error.code === 'not-found', error);
  }
}

function away(report: PathReport): PathReport {
  const { text } = report.summary;
  const advice =
    'It may be off, or away: check that it runs. `pipevine mailbox send` leaves a message for it meanwhile.';
  return { ...report, summary: { state: 'none', via: [], text: `not reached just now; ${text}`, advice } };
}

/** The documented shape, see docs/cli.md. */
function pathJson(
  report: PathReport,
  nameOf: (peer: PeerId) => string,
  resolved: string,
  trial: JsonObject | null,
): JsonObject {
  const { summary, link, punch } = report;
  return {
    peer: report.peer,
    name: report.name || resolved,
    host: report.host ?? null,
    state: summary.state,
    via: summary.via.map((id) => ({ peer: id, name: nameOf(id) })),
    text: summary.text,
    advice: summary.advice ?? null,
    trial,
    link: link === undefined ? null : { ...linkReport(link), dialled: link.dialled },
    groups: report.groups.map(({ id, name }) => ({ id, name })),
    pipes: report.pipes.map(({ group, name, kind, path }) => ({
      group,
      name,
      kind,
      path: path === undefined ? null : pathReport(path, nameOf),
    })),
    relays: report.relays.map((relay) => ({ ...relay, name: nameOf(relay.relay) })),
    addresses: report.addresses.map(({ address, source }) => ({ address, source })),
    attempts: report.attempts.map(({ address, outcome, message, atMs, failures }) => ({
      address,
      outcome,
      reason: message,
      at: isoTime(atMs),
      failures,
    })),
    punch: punch === undefined ? null : { state: punch.state, reason: punch.reason, since: isoTime(punch.atMs) },
  };
}
