import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { writeInPlace } from './write-in-place.ts';

/** On the boot partition, beside the setup file: any computer can read it. */
export const STATUS_FILE = 'pipevine-status.txt';
const MAX_BYTES = 16 * 1024;
/** Of a text of others. */
const MAX_CHARACTERS = 400;
/** A card wears out by writing. What says something new in the same state waits for so long. */
const REPEAT_MS = 60_000;

export interface BoardStatus {
  /** A sentence; what else changes under the same is a detail. */
  readonly state: string;
  readonly hostname?: string;
  readonly peer?: string;
  readonly group?: string;
  readonly problems?: readonly string[];
  /** What a person can do. */
  readonly next?: string;
}

/** The state of a board that is in its group. */
export const JOINED = 'Joined.';

export interface StatusTimes {
  /** Since 1970, by a clock that is wrong until the board has a network. */
  readonly wallMs: number;
  readonly monotonicMs: number;
}

/** Tells people how the board is. Writes when that changes, never the same again, also after a restart. */
export class StatusFile {
  readonly #path: string;
  #last: { readonly state: string; readonly atMs: number } | undefined;

  /** `folder`: of the setup file. */
  constructor(folder: string) {
    this.#path = join(folder, STATUS_FILE);
  }

  /** Throws the error of the file system, as for a card that is read-only. */
  write(status: BoardStatus, { wallMs, monotonicMs }: StatusTimes): void {
    const last = this.#last;
    if (last?.state === status.state && monotonicMs - last.atMs < REPEAT_MS) return;
    const lines = linesOf(status);
    if (isSame(this.#present(), lines)) return;
    const since = `Since:     ${new Date(wallMs).toISOString()} by the clock of the board`;
    const [title = '', empty = '', now = '', ...rest] = lines;
    // Ends of lines that every editor knows.
    writeInPlace(this.#path, [title, empty, now, since, ...rest, ''].join('\r\n'));
    this.#last = { state: status.state, atMs: monotonicMs };
  }

  #present(): string {
    return existsSync(this.#path) && statSync(this.#path).size <= MAX_BYTES ? readFileSync(this.#path, 'utf8') : '';
  }
}

const isSame = (file: string, lines: readonly string[]) =>
  file
    .trimEnd()
    .split('\r\n')
    .filter((line) => !line.startsWith('Since:'))
    .join('\n') === lines.join('\n');

function linesOf({ state, hostname, peer, group, problems = [], next }: BoardStatus): string[] {
  const line = (label: string, text: string | undefined) =>
    text === undefined || text === '' ? [] : [`${`${label}:`.padEnd(10)} ${plain(text)}`];
  return [
    'Pipevine on this board',
    '',
    ...line('Now', state),
    ...line('Hostname', hostname),
    ...line('Peer', peer),
    ...line('Group', group),
    ...problems.flatMap((problem) => line('Problem', problem)),
    ...line('To do', next),
  ];
}

/** One line, without what an editor or a terminal would obey. */
const plain = (text: string) =>
  text
    .replace(/[\s\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .slice(0, MAX_CHARACTERS)
    .trim();
