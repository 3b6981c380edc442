import type { DialAttempt } from '../endpoint/dial-book.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import type { PathReport, PathSummary } from './path-report.ts';

/** What a summary is made of. */
export type PathFacts = Omit<PathReport, 'name' | 'summary'> & {
  /** The peer is in this process. */
  readonly here: boolean;
};

/** Which failure says most about the peer, first: that somebody else is there, that it is there and does not want, that nothing came. */
const TELLING: readonly DialAttempt['outcome'][] = [
  'wrong-peer',
  'forged',
  'refused',
  'overloaded',
  'protocol',
  'timeout',
];

/** Says in words which path carries traffic to a peer, why, and what could be done. */
export function pathSummary(facts: PathFacts, nameOf: (peer: PeerId) => string): PathSummary {
  const { peer, host, here, link, pipes, relays } = facts;
  const called = (other: PeerId) => calledPeer(other, nameOf(other));
  const summary = (
    state: PathSummary['state'],
    via: readonly PeerId[],
    text: string,
    advice?: string,
  ): PathSummary => ({
    state,
    via,
    text,
    advice,
  });
  if (here) return summary('self', [], host === undefined ? 'it is in this process' : 'this process hosts it');
  const relayPaths = pipes.flatMap(({ path }) => (path?.type === 'relayed' ? [path.relays ?? [path.via]] : []));
  const relayed = relayPaths.length;
  const overRelays = [...new Set(relayPaths.flatMap(([first]) => first ?? []))];
  const ways = [...new Set(relayPaths.map((relays) => relays.map(called).join(', then ')))].join(' and ');
  const waiting = pipes.filter(({ path }) => path === undefined).length;
  const doubt =
    waiting === 0 ? '' : `; ${counted(waiting, 'pipe')} to it ${waiting === 1 ? 'waits' : 'wait'} for a way`;
  if (link !== undefined) {
    const isHost = link.peer !== peer;
    const rest =
      relayed === 0 ? '' : `; ${relayed} of ${pipes.length} pipes still ${relayed === 1 ? 'goes' : 'go'} over ${ways}`;
    const to = isHost ? ` to its host ${called(link.peer)}` : '';
    return summary(
      isHost ? 'hosted' : 'direct',
      [link.peer],
      `direct over ${link.transport}${to}, ${whyDirect(facts)}${rest}${doubt}`,
    );
  }
  const why = whyNotDirect(facts);
  if (relayed > 0) {
    const text = `over relay ${ways}: ${why}${doubt}`;
    return summary('relayed', overRelays, text, relayedAdvice(facts));
  }
  const usable = [...new Set(relays.filter(({ linked }) => linked).map(({ relay }) => relay))];
  const [first] = usable;
  if (first !== undefined) {
    const text = `no pipe runs to it now; one would go over relay ${called(first)}: ${why}${doubt}`;
    return summary('ready', usable, text, relayedAdvice(facts));
  }
  const untried = facts.addresses.filter(
    ({ address }) => !facts.attempts.some((attempt) => attempt.address === address),
  );
  if (untried.length > 0 || facts.attempts.some(({ outcome }) => outcome === 'linked')) {
    return summary(
      'ready',
      [host ?? peer],
      `no link to it now; ${counted(facts.addresses.length, 'address', 'addresses')} of it can be tried${doubt}`,
    );
  }
  return summary('none', [], `no way to it now: ${why}${doubt}`, noWayAdvice(facts, called));
}

function whyDirect({ link, punch }: PathFacts): string {
  if (link === undefined) return '';
  if (punch?.state === 'direct' && link.transport === 'udp') {
    return 'because hole punching worked';
  }
  return link.dialled ? `dialled at ${link.address}` : `which it dialled from ${link.address}`;
}

/** Why no link to the peer stands: hole punching, and the attempt that says most. */
function whyNotDirect({ punch, attempts, addresses }: PathFacts): string {
  const reasons: string[] = [];
  const failed = attempts.filter(({ outcome }) => outcome !== 'linked');
  const most = mostTelling(failed);
  if (most !== undefined) {
    const more =
      failed.length === 1 ? '' : `, and ${counted(failed.length - 1, 'other address', 'other addresses')} as well`;
    reasons.push(`direct was tried and failed${more}: ${unended(most.message) || most.outcome}`);
  }
  if (punch?.state === 'trying') reasons.push(`a direct path is being made by hole punching`);
  if (punch?.state === 'resting') reasons.push(`hole punching failed and is tried again: ${unended(punch.reason)}`);
  if (punch?.state === 'impossible') reasons.push(`hole punching cannot work: ${unended(punch.reason)}`);
  if (reasons.length > 0) return reasons.join('; ');
  if (addresses.length === 0) return 'no address of it is known';
  const linked = attempts.findLast(({ outcome }) => outcome === 'linked');
  return linked === undefined ? 'no address of it has been tried yet' : `the link at ${linked.address} has ended`;
}

function relayedAdvice({ punch }: PathFacts): string | undefined {
  if (punch?.state === 'trying') return undefined;
  return 'It works as it is. An open TCP or UDP port at one of the two would make it direct.';
}

function noWayAdvice(facts: PathFacts, called: (peer: PeerId) => string): string {
  const { groups, relays, attempts, addresses } = facts;
  if (groups.length === 0 && addresses.length === 0) {
    return 'Nothing is known of it here. Check its id, that it runs, and that both are members of one group.';
  }
  const most = mostTelling(attempts.filter(({ outcome }) => outcome !== 'linked'));
  if (most?.outcome === 'wrong-peer') {
    return `Another peer answers at ${most.address}. Correct the address where it is configured, or wait until the peer advertises its new one.`;
  }
  if (most?.outcome === 'refused' || most?.outcome === 'overloaded') {
    return 'It is there and takes no link now. It may be full; look at its status.';
  }
  const its = [...new Set(relays.filter((relay) => relay.its).map(({ relay }) => relay))];
  if (its.length > 0) {
    return `It can be reached over ${its.map(called).join(' or ')}, to which there is no link. Ask for the path to that relay.`;
  }
  return 'Check that it runs, and that its port is open on the way. Where no port can be open, let both reach a relay: a member with that role, such as a gateway.';
}

function mostTelling(failed: readonly DialAttempt[]): DialAttempt | undefined {
  const rank = ({ outcome }: DialAttempt): number => {
    const at = TELLING.indexOf(outcome);
    return at < 0 ? TELLING.length : at;
  };
  // Of equals the newest.
  return failed.toReversed().sort((a, b) => rank(a) - rank(b))[0];
}

function calledPeer(peer: PeerId, name: string): string {
  return name === '' ? shortPeerId(peer) : `"${name}" (${shortPeerId(peer)})`;
}

function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

const unended = (text: string): string => text.replace(/\.$/, '');
