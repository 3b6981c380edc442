import { PipevineError } from '@pipevine/runtime';
import { nearestNames } from './nearest-name.ts';

/** Something that a person can name on the command line. */
export interface Named {
  readonly name: string;
  /** Each a way to name it; a prefix is enough if only one has it. Of a URN, the part after the last colon too. */
  readonly ids: readonly string[];
}

/**
 * Finds what `text` names: first an exact id, then an exact name (any case), then a unique prefix of either. Throws
 * `ambiguous` with the candidates, or `not-found` with the nearest names. `what` is for the message: thing, peer, group;
 * `listedBy` is the command that lists them.
 */
export function resolveName<T extends Named>(
  what: string,
  text: string,
  candidates: readonly T[],
  listedBy = `pipevine ${what}s`,
): T {
  const wanted = text.toLowerCase();
  const forms = (item: T) =>
    item.ids.flatMap((id) => [id.toLowerCase(), id.slice(id.lastIndexOf(':') + 1).toLowerCase()]);
  const tests: ((item: T) => boolean)[] = [
    (item) => forms(item).includes(wanted),
    (item) => item.name.toLowerCase() === wanted,
    (item) => wanted !== '' && [item.name.toLowerCase(), ...forms(item)].some((form) => form.startsWith(wanted)),
  ];
  for (const test of tests) {
    const found = candidates.filter(test);
    if (found.length === 1 && found[0] !== undefined) return found[0];
    if (found.length > 1) {
      const list = found.slice(0, 8).map((item) => `"${item.name}" ${shortForm(item.ids.at(-1) ?? '')}`);
      const more = found.length > list.length ? ` and ${found.length - list.length} more` : '';
      throw new PipevineError(
        'ambiguous',
        `"${text}" names ${found.length} ${what}s: ${list.join(', ')}${more}; use more of the id`,
      );
    }
  }
  throw new PipevineError(
    'not-found',
    `no ${what} is called "${text}"; ${suggestion(what, text, candidates, listedBy)}`,
  );
}

function suggestion(what: string, text: string, candidates: readonly Named[], listedBy: string): string {
  if (candidates.length === 0) return `no ${what} is known here at all`;
  const near = nearestNames(text, new Set(candidates.map((item) => item.name)));
  return near.length > 0
    ? `did you mean ${near.map((name) => `"${name}"`).join(' or ')}?`
    : `\`${listedBy}\` lists the ${candidates.length} known`;
}

/** Enough of an id to tell it apart: the first 12 characters of a URN's last part. */
function shortForm(id: string): string {
  return id.slice(id.lastIndexOf(':') + 1).slice(0, 12);
}

/** A member of a Thing Description by its exact name, or by the only one that is the same in any case. */
export function resolveMember<T>(
  what: 'property' | 'action' | 'event',
  text: string,
  members: Readonly<Record<string, T>> | undefined,
  thing: string,
): { readonly name: string; readonly affordance: T } {
  const names = Object.keys(members ?? {});
  const matches = names.includes(text) ? [text] : names.filter((name) => name.toLowerCase() === text.toLowerCase());
  const [name] = matches;
  const affordance = name === undefined ? undefined : members?.[name];
  if (matches.length === 1 && name !== undefined && affordance !== undefined) return { name, affordance };
  const plural = what === 'property' ? 'properties' : `${what}s`;
  const near = nearestNames(text, names);
  const hint =
    names.length === 0
      ? `it has no ${plural}`
      : near.length > 0
        ? `did you mean "${near[0]}"?`
        : `it has ${names.slice(0, 12).join(', ')}${names.length > 12 ? ', ...' : ''}`;
  throw new PipevineError('not-found', `"${thing}" has no ${what} "${text}"; ${hint}`);
}
