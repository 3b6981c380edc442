import { dirname } from 'node:path';
import { messageOf } from '../message-of.ts';
import { fingerprintOf, type JoinedState, markDone, readState, writeState } from './first-boot-state.ts';
import { hostnameOf } from './set-hostname.ts';
import { findSetupFile, readSetupFile, wipeSetupFile } from './setup-file.ts';
import { type BoardStatus, JOINED, StatusFile, type StatusTimes } from './status-file.ts';
import { StatusLed } from './status-led.ts';

/** What became of an attempt; `peer` is the own id, when the daemon has said it. */
export type JoinOutcome = { readonly peer?: string } & (
  | { readonly type: 'joined'; readonly group: string }
  /** The code is wrong, was used, or ran out: another one is needed. */
  | { readonly type: 'refused'; readonly reason: string }
  /** There is no network, or nobody on it who admits to the group. */
  | { readonly type: 'unreached'; readonly reason: string }
  | { readonly type: 'no-daemon'; readonly reason: string }
);

export interface JoinByCardInit {
  readonly root: string;
  /** Hands a code to the daemon. What comes after the signal was aborted does not matter, unless it is that it has joined. */
  readonly join: (code: string) => Promise<JoinOutcome>;
  /** Whether the board has an address by which it can reach others. */
  readonly hasNetwork: () => boolean;
  readonly now: () => StatusTimes;
  /** From 0 to 1. */
  readonly random: () => number;
  /** Returns when the time is over, or the signal is aborted. */
  readonly sleep: (ms: number) => Promise<void>;
  readonly signal: AbortSignal;
  /** A line for the journal. */
  readonly notice: (text: string) => void;
}

/** Pauses between attempts: the network may be there in seconds, and costs little to try. */
const FIRST_PAUSE_MS = 2_000;
const MAX_PAUSE_MS = 60_000;
/** What a person has to mend needs no hurry. */
const PERSON_PAUSE_MS = 5 * 60_000;

/**
 * Joins by the code of the setup file, which is read again for each attempt, until that is done or the signal. Then takes the code out
 * of the file. Shows how it stands by the status file, the LED and the journal. Without a code it ends at once.
 */
export async function joinByCard(init: JoinByCardInit): Promise<'joined' | 'no-code' | 'stopped'> {
  const { root, signal, random, sleep } = init;
  const path = findSetupFile(root);
  if (path === undefined) return 'no-code';
  const led = new StatusLed(root);
  const show = shownBy(init, dirname(path));
  let pauseMs = FIRST_PAUSE_MS;
  try {
    while (!signal.aborted) {
      const code = codeIn(path);
      if (code instanceof Error) {
        led.show('problem');
        show({ state: 'The setup file cannot be used.', problems: [code.message], next: NEXT_FILE });
        await sleep(jittered(PERSON_PAUSE_MS, random));
        continue;
      }
      if (code === undefined) return 'no-code';
      if (readState(root).joined?.code === fingerprintOf(code)) {
        wipe(init, path, code);
        return 'joined';
      }
      const outcome = await init.join(code);
      const peer = outcome.peer === undefined ? {} : { peer: outcome.peer };
      if (outcome.type === 'joined') {
        // Before the code goes, so that nobody asks for it once more after a power cut between the two.
        remember(init, { code: fingerprintOf(code), peer: outcome.peer ?? '', group: outcome.group });
        wipe(init, path, code);
        show({ state: JOINED, ...peer, group: outcome.group });
        return 'joined';
      }
      if (signal.aborted) break;
      const reason = outcome.reason.replaceAll(code, 'the code');
      if (outcome.type === 'refused') {
        led.show('problem');
        show({ state: 'The code was not accepted.', ...peer, problems: [reason], next: NEXT_CODE });
        pauseMs = FIRST_PAUSE_MS;
        await sleep(jittered(PERSON_PAUSE_MS, random));
        continue;
      }
      led.show('waiting');
      show({ ...waitingFor(outcome.type, init.hasNetwork()), ...peer, problems: [reason] });
      await sleep(jittered(pauseMs, random));
      pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS);
    }
    return 'stopped';
  } finally {
    led.restore();
  }
}

const NEXT_FILE =
  'Correct pipevine-setup.txt on this card. It is looked at again every five minutes, and at each start.';
const NEXT_CODE =
  'Make a new code with `pipevine invite`, and put it into pipevine-setup.txt on this card. It is looked at again every five minutes, and at each start.';

function waitingFor(what: 'unreached' | 'no-daemon', hasNetwork: boolean): BoardStatus {
  if (what === 'no-daemon') {
    return {
      state: 'Waiting for the service of Pipevine to start.',
      next: 'If it stays so, see on the board: journalctl -u pipevine',
    };
  }
  return hasNetwork
    ? {
        state: 'Waiting for the gateway: there is a network, but nobody on it who takes the code.',
        next: 'Start the gateway that made the code, in the same network.',
      }
    : {
        state: 'Waiting for a network.',
        next: 'Plug in the cable, or correct the lines wifi-ssid and wifi-password in pipevine-setup.txt on this card and start the board again.',
      };
}

/** To the journal what is new, to the card what is new there. A card that takes nothing is told of once. */
function shownBy({ root, now, notice }: JoinByCardInit, folder: string): (status: BoardStatus) => void {
  const file = new StatusFile(folder);
  const told = new Set<string>();
  const tell = (text: string) => {
    if (told.has(text)) return;
    if (told.size >= MAX_TOLD) told.clear();
    told.add(text);
    notice(text);
  };
  return (status) => {
    const problems = [...(status.problems ?? []), ...readState(root).problems];
    try {
      file.write({ ...status, hostname: hostnameOf(root), problems }, now());
    } catch (error) {
      tell(`the status cannot be written to the card: ${messageOf(error)}`);
    }
    tell([status.state, ...problems].join(' '));
  };
}

const MAX_TOLD = 64;

function codeIn(path: string): string | undefined | Error {
  try {
    return readSetupFile(path).joinCode;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function remember({ root, notice }: JoinByCardInit, joined: JoinedState): void {
  try {
    writeState(root, { ...readState(root), joined });
  } catch (error) {
    notice(`that the board has joined cannot be remembered: ${messageOf(error)}`);
  }
}

/** The code was for one board, so that one which stays is of no use to others; still it is said. */
function wipe({ root, notice }: JoinByCardInit, path: string, code: string): void {
  try {
    wipeSetupFile(path, code);
    if (readState(root).problems.length === 0 && codeIn(path) === undefined) markDone(root, path);
  } catch (error) {
    notice(
      `the used code and the Wi-Fi password stay in ${path}: ${messageOf(error)}; remove them there. This is tried again at the next start`,
    );
  }
}

const jittered = (ms: number, random: () => number) => ms * (0.75 + random() / 2);
