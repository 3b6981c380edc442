import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeBoardSetup, SETUP_BYTES } from '../setup/board-setup.ts';
import { applySetup } from './apply-setup.ts';
import { DONE_FILE } from './first-boot-state.ts';
import { type JoinOutcome, joinByCard } from './join-by-card.ts';
import { MadeUpBoard } from './testing/made-up-board.ts';

const CODE = 'b0123-45678-secret';
const PASSWORD = 'correct horse battery';
const SETUP = {
  joinCode: CODE,
  hostname: 'kitchen',
  wifi: { ssid: 'Home', password: PASSWORD },
  configuration: 'a: b\n',
};
const PEER = 'urn:pipevine:peer:bkitchen';
const JOINED: JoinOutcome = { type: 'joined', group: 'Home of Ann', peer: PEER };
const WRONG: JoinOutcome = { type: 'refused', reason: `The join code ${CODE} was not accepted.`, peer: PEER };
const NOBODY: JoinOutcome = { type: 'unreached', reason: 'No administrator of the group was found.', peer: PEER };
const LED = '/sys/class/leds/ACT';

let board: MadeUpBoard;
/** Of the virtual clock, ms. */
let now: number;
let pauses: number[];
let codes: string[];
let notices: string[];
/** What the LED showed during each pause. */
let shown: string[];
let hasNetwork: boolean;
let controller: AbortController;

beforeEach(() => {
  board = new MadeUpBoard();
  board.write(`${LED}/trigger`, 'none timer [mmc0] heartbeat\n');
  [now, pauses, codes, notices, shown, hasNetwork] = [0, [], [], [], [], true];
  controller = new AbortController();
});
afterEach(() => board.remove());

/** Joins by these outcomes, one an attempt; what a person does in a pause comes by the number of the pause. */
function join(outcomes: readonly JoinOutcome[], person: Readonly<Record<number, () => void>> = {}) {
  return joinByCard({
    root: board.root,
    join: async (code) => {
      codes.push(code);
      const outcome = outcomes[codes.length - 1];
      if (outcome === undefined) throw new Error('more attempts than expected');
      return outcome;
    },
    hasNetwork: () => hasNetwork,
    now: () => ({ wallMs: 1_800_000_000_000 + now, monotonicMs: now }),
    random: () => 0.5,
    sleep: async (ms) => {
      pauses.push(ms);
      shown.push(
        [board.read(`${LED}/trigger`), board.has(`${LED}/delay_on`) ? board.read(`${LED}/delay_on`) : ''].join(' '),
      );
      now += ms;
      person[pauses.length]?.();
    },
    signal: controller.signal,
    notice: (text) => notices.push(text),
  });
}

const times = (count: number, outcome: JoinOutcome) => Array.from({ length: count }, () => outcome);

describe('a board with a code', () => {
  it('joins, tells it on the card, and shows its LED as before', async () => {
    board.setUp(SETUP);
    expect(await join([JOINED])).toBe('joined');
    expect(codes).toEqual([CODE]);
    expect(board.status.trimEnd()).toBe(
      [
        'Pipevine on this board',
        '',
        'Now:       Joined.',
        'Since:     2027-01-15T08:00:00.000Z by the clock of the board',
        'Hostname:  raspberrypi',
        `Peer:      ${PEER}`,
        'Group:     Home of Ann',
      ].join('\r\n'),
    );
    expect(board.read(`${LED}/trigger`)).toBe('none timer [mmc0] heartbeat\n');
  });

  it('leaves nobody who finds the card later a code or a password', async () => {
    board.setUp(SETUP);
    const { ino } = statSync(board.at(board.setupPath));
    await join([NOBODY, WRONG, JOINED]);
    const file = readFileSync(board.at(board.setupPath));
    expect(decodeBoardSetup(file)).toEqual({ hostname: 'kitchen', configuration: 'a: b\n' });
    // Written over the same blocks of the card.
    expect([file.length, statSync(board.at(board.setupPath)).ino]).toEqual([SETUP_BYTES, ino]);
    const all = [file, board.status, notices.join('\n'), board.read('/var/lib/pipevine-first-boot/state.json')].join(
      '\n',
    );
    for (const secret of [CODE, PASSWORD]) expect(all).not.toContain(secret);
  });

  it('overwrites also what an editor has left, shorter or in its own way', async () => {
    board.setUp(`\ufeff# mine\r\njoin:${CODE}\r\n\r\nwifi-ssid: Home\r\nwifi-password: ${PASSWORD}\r\nhostname: a\r\n`);
    await join([JOINED]);
    expect(board.read(board.setupPath)).not.toMatch(/secret|horse/);
    expect(decodeBoardSetup(readFileSync(board.at(board.setupPath)))).toEqual({ hostname: 'a' });
  });

  it('does nothing at the next start, nor without a file', async () => {
    board.setUp(SETUP);
    await join([JOINED]);
    const before = board.status;
    expect(await join([])).toBe('no-code');
    rmSync(board.at(board.setupPath));
    expect(await join([])).toBe('no-code');
    expect([codes.length, board.status]).toEqual([1, before]);
  });

  it('wipes what a power cut has left, without asking for the code again', async () => {
    board.setUp(SETUP);
    await join([JOINED]);
    board.setUp(SETUP);
    expect(await join([])).toBe('joined');
    expect(board.read(board.setupPath)).not.toContain(CODE);
    expect(codes).toHaveLength(1);
  });

  it('still says that it has joined when it is set up anew later', async () => {
    board.setUp(SETUP);
    await join([JOINED]);
    board.setUp({ hostname: 'attic' });
    const now = () => ({ wallMs: 0, monotonicMs: 0 });
    await applySetup({ host: board.host, checkConfiguration: () => {}, now });
    expect(board.status).toMatch(/Now: {7}Joined\..*Hostname: {2}attic.*Peer: {6}urn:.*Group: {5}Home of Ann/s);
  });

  it('takes a new code after it has joined by another', async () => {
    board.setUp(SETUP);
    await join([JOINED]);
    board.setUp({ joinCode: 'b-other' });
    expect(await join([JOINED, JOINED])).toBe('joined');
    expect(codes).toEqual([CODE, 'b-other']);
  });
});

describe('without a network', () => {
  it('keeps trying, ever slower, and blinks slowly', async () => {
    board.setUp(SETUP);
    hasNetwork = false;
    expect(await join([...times(8, NOBODY), JOINED])).toBe('joined');
    expect(pauses).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
    expect(new Set(shown)).toEqual(new Set(['timer 1000']));
    expect(board.read(`${LED}/trigger`)).toBe('mmc0');
  });

  it('says so, and another thing when there is one without a gateway', async () => {
    board.setUp(SETUP);
    hasNetwork = false;
    const seen: string[] = [];
    await join([NOBODY, NOBODY, JOINED], {
      1: () => {
        seen.push(board.status);
        hasNetwork = true;
      },
      2: () => seen.push(board.status),
    });
    expect(seen[0]).toContain('Now:       Waiting for a network.');
    expect(seen[0]).toContain('To do:     Plug in the cable');
    expect(seen[1]).toContain('Now:       Waiting for the gateway');
  });

  it('writes to the card only what is new, and of the same kind once a minute at most', async () => {
    board.setUp(SETUP);
    const reasons = Array.from(
      { length: 12 },
      (_, at): JoinOutcome => ({ ...NOBODY, type: 'unreached', reason: `try ${at}` }),
    );
    const writes = new Map<number, string>();
    const watch = Object.fromEntries(
      reasons.map((_, at) => [at + 1, () => void writes.set(now - (pauses.at(-1) ?? 0), board.status)]),
    );
    await join([...reasons, ...times(3, NOBODY), JOINED], watch);
    const changes = [...writes].filter(([, status], at, all) => status !== all[at - 1]?.[1]).map(([at]) => at);
    for (const [at, ms] of changes.entries())
      if (at > 0) expect(ms - (changes[at - 1] ?? 0)).toBeGreaterThanOrEqual(60_000);
    expect(changes.length).toBeGreaterThan(2);
  });
});

describe('a code that is not accepted', () => {
  it('is shown by a fast blink and on the card, and tried again every five minutes', async () => {
    board.setUp(SETUP);
    let status = '';
    expect(await join([WRONG, WRONG, JOINED], { 1: () => (status = board.status) })).toBe('joined');
    expect(pauses).toEqual([300_000, 300_000]);
    expect(shown).toEqual(['timer 125', 'timer 125']);
    expect(status).toContain('Now:       The code was not accepted.');
    expect(status).toContain('Problem:   The join code the code was not accepted.');
    expect(status).toContain('pipevine invite');
  });

  it('can be replaced while the board runs', async () => {
    board.setUp(SETUP);
    expect(await join([WRONG, JOINED], { 1: () => board.setUp({ ...SETUP, joinCode: 'b-good' }) })).toBe('joined');
    expect(codes).toEqual([CODE, 'b-good']);
  });

  it('can be taken back: then there is nothing more to do', async () => {
    board.setUp(SETUP);
    expect(await join([WRONG], { 1: () => board.setUp({ hostname: 'kitchen' }) })).toBe('no-code');
    expect(board.read(`${LED}/trigger`)).toBe('mmc0');
  });

  it('may be broken in other ways: a file that cannot be read is looked at again', async () => {
    board.setUp('jion: X');
    let status = '';
    const mended = () => {
      status = board.status;
      board.setUp(SETUP);
    };
    expect(await join([JOINED], { 1: mended })).toBe('joined');
    expect(pauses).toEqual([300_000]);
    expect(status).toContain('line 1: expected one of join');
  });
});

it('waits for a service that does not start yet', async () => {
  board.setUp(SETUP);
  let status = '';
  const none: JoinOutcome = { type: 'no-daemon', reason: 'The service of Pipevine does not run.' };
  expect(await join([none, JOINED], { 1: () => (status = board.status) })).toBe('joined');
  expect(status).toContain('journalctl -u pipevine');
});

it('tells what could not be set up, too', async () => {
  board.write('/var/lib/pipevine-first-boot/state.json', '{"problems":["this system has no program for Wi-Fi"]}');
  board.setUp(SETUP);
  await join([JOINED]);
  expect(board.status).toContain('Now:       Joined.');
  expect(board.status).toContain('Problem:   this system has no program for Wi-Fi');
});

it('keeps texts of others on their line', async () => {
  board.setUp(SETUP);
  await join([{ ...JOINED, type: 'joined', group: 'evil\r\nProblem: \u001b[2J\u202ename' }]);
  expect(board.status).toContain('Group:     evil Problem: [2J name\r\n');
});

it('joins from a card that takes no writing, and says so in the journal', async () => {
  // A folder where the status goes: nobody can write there, root neither.
  mkdirSync(board.at('/boot/firmware/pipevine-status.txt'));
  board.setUp(SETUP);
  expect(await join([NOBODY, NOBODY, JOINED])).toBe('joined');
  expect(notices.filter((text) => text.includes('cannot be written'))).toHaveLength(1);
});

it('needs no LED', async () => {
  rmSync(board.at('/sys'), { recursive: true });
  board.setUp(SETUP);
  expect(
    await joinByCard({
      root: board.root,
      join: async () => (codes.push('') === 1 ? NOBODY : JOINED),
      hasNetwork: () => true,
      now: () => ({ wallMs: 0, monotonicMs: 0 }),
      random: () => 0,
      sleep: async () => {},
      signal: controller.signal,
      notice: () => {},
    }),
  ).toBe('joined');
});

it('stops when it is told to, and leaves code and LED', async () => {
  board.setUp(SETUP);
  expect(await join([WRONG], { 1: () => controller.abort() })).toBe('stopped');
  expect(decodeBoardSetup(readFileSync(board.at(board.setupPath)))).toEqual(SETUP);
  expect(board.read(`${LED}/trigger`)).toBe('mmc0');
});

it('says nothing new when it is stopped in the middle of an attempt', async () => {
  board.setUp(SETUP);
  const stopped = joinByCard({
    root: board.root,
    join: async () => {
      controller.abort();
      return NOBODY;
    },
    hasNetwork: () => true,
    now: () => ({ wallMs: 0, monotonicMs: 0 }),
    random: () => 0,
    sleep: async () => {},
    signal: controller.signal,
    notice: (text) => notices.push(text),
  });
  expect(await stopped).toBe('stopped');
  expect([board.status, notices]).toEqual(['', []]);
});

it('gives the LED its usual trigger back after an earlier run was killed', async () => {
  board.write(`${LED}/trigger`, 'none [timer] mmc0\n');
  board.setUp(SETUP);
  await join([WRONG, JOINED]);
  expect(board.read(`${LED}/trigger`)).toBe('mmc0');
});

it('marks for the units, as sha256sum checks it, that all is done, until the file changes', async () => {
  const check = () => spawnSync('sha256sum', ['--check', '--status', board.at(DONE_FILE)]).status;
  board.setUp(SETUP);
  expect(check()).not.toBe(0);
  await join([NOBODY, JOINED], { 1: () => expect(check()).not.toBe(0) });
  expect(check()).toBe(0);
  board.setUp(SETUP);
  expect(check()).not.toBe(0);
});
