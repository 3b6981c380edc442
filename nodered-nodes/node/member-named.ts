import {
  type PeerGroup,
  type PeerId,
  PipevineError,
  parsePeerId,
  shortPeerId,
  type WaitOptions,
} from '@pipevine/runtime';

const SEARCH_TIMEOUT_MS = 2_000;
/** The base32 of 32 bytes, with or without what stands before it. */
const LOOKS_LIKE_ID = /^(?:urn:pipevine:peer:)?[a-z2-7]{52}$/;

/** The member that a person means: by its id, else by its name. Rejects with `not-found` or `ambiguous`. */
export async function memberNamed(group: PeerGroup, text: string, options: WaitOptions = {}): Promise<PeerId> {
  if (LOOKS_LIKE_ID.test(text)) return parsePeerId(text);
  const found = new Set<PeerId>();
  for await (const { name, publisher } of group.members({ timeoutMs: SEARCH_TIMEOUT_MS, ...options })) {
    if (name === text) found.add(publisher);
  }
  const [only, ...others] = found;
  if (only === undefined) {
    throw new PipevineError(
      'not-found',
      `No member of "${group.name}" is called "${text.slice(0, 80)}", or it is away.`,
    );
  }
  if (others.length === 0) return only;
  const ids = [...found].map(shortPeerId).join(', ');
  throw new PipevineError('ambiguous', `${found.size} members are called "${text}": ${ids}; use the id of one.`);
}
