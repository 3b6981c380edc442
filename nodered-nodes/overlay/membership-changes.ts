import type { PeerGroup } from '@pipevine/runtime';

export interface MembershipChange {
  readonly event: 'joined' | 'left';
  readonly peer: string;
  readonly name: string;
  /** Whether it was a member already when the watching began. */
  readonly initial: boolean;
}

/** Members whose going is noticed. */
const MAX_KNOWN = 10_000;
const FIRST_LOOK_MS = 1_500;

/** Who is a member, as far as is known here, then who comes and goes, until the signal. */
export async function* membershipChanges(group: PeerGroup, signal: AbortSignal): AsyncGenerator<MembershipChange> {
  const names = new Map<string, string>();
  for await (const { publisher, name } of group.members({ timeoutMs: FIRST_LOOK_MS, signal })) {
    if (names.has(publisher) || names.size >= MAX_KNOWN) continue;
    names.set(publisher, name);
    yield { event: 'joined', peer: publisher, name, initial: true };
  }
  for await (const { change, advertisement } of group.watch({ kind: 'peer' }, { signal })) {
    const { publisher: peer, name } = advertisement;
    const known = names.get(peer);
    if (change === 'removed') {
      if (known === undefined) continue;
      names.delete(peer);
      yield { event: 'left', peer, name: known, initial: false };
      continue;
    }
    if (known === undefined && names.size >= MAX_KNOWN) continue;
    names.set(peer, name);
    if (known === undefined) yield { event: 'joined', peer, name, initial: false };
  }
}
