import { type FoundPipe, type PeerGroup, type PeerId, PipevineError, shortPeerId } from '@pipevine/runtime';
import { memberNamed } from '../node/member-named.ts';
import { pipevineFailure } from '../node/pipevine-failure.ts';

/** Peers that say they listen under one name, and are tried. */
const MAX_TRIED = 8;

export interface BindTarget {
  readonly name: string;
  readonly kind: FoundPipe['kind'];
  /** Id or name; undefined: the only one that listens under the name. */
  readonly peer: string | undefined;
}

/** What is bound can be given up. */
interface Bound {
  close(options?: { readonly timeoutMs?: number }): Promise<void>;
}

/**
 * Binds to who listens under a name. Of several that say so some may be gone: the only one that answers is taken. Rejects with
 * `not-found`, `ambiguous`, or what `connect` came to; nobody has taken anything then.
 */
export async function bindByName<T extends Bound>(
  group: PeerGroup,
  { name, kind, peer }: BindTarget,
  connect: (peer: PeerId) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  if (peer !== undefined) return connect(await memberNamed(group, peer, { signal }));
  const found = new Set<PeerId>();
  for await (const one of group.namedPipes.find({ name, kind }, { signal })) found.add(one.peer);
  const [only] = found;
  if (only === undefined) {
    throw new PipevineError('not-found', `Nobody in reach listens under "${name}" with kind ${kind} in this group.`);
  }
  if (found.size === 1) return connect(only);
  let last: unknown;
  const tried = [...found].slice(0, MAX_TRIED).map(async (candidate) => {
    try {
      return { candidate, end: await connect(candidate) };
    } catch (error) {
      last = error;
      return undefined;
    }
  });
  const ends = (await Promise.all(tried)).filter((end) => end !== undefined);
  const [first] = ends;
  if (first === undefined) throw pipevineFailure(last);
  if (ends.length === 1) return first.end;
  await Promise.all(ends.map(({ end }) => end.close({ timeoutMs: 0 }).catch(() => {})));
  const peers = ends.map(({ candidate }) => shortPeerId(candidate)).join(', ');
  throw new PipevineError('ambiguous', `${ends.length} peers listen under "${name}": ${peers}; choose one.`);
}
