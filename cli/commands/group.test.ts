import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PipevineError, peerIdFromBytes } from '@pipevine/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RunningDaemon, runAt } from '../testing/running-daemon.ts';

let daemon: RunningDaemon;

beforeEach(async () => {
  daemon = await RunningDaemon.start();
});

afterEach(() => daemon.stop());

const idOf = (byte: number) => peerIdFromBytes(new Uint8Array(32).fill(byte));
const lines = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
const HOSTILE = 'evil\u001b[2J\nname\u202e\u009b';
/** What a terminal would obey, the end of a line aside. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
const OBEYED = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

describe('group create', () => {
  it('makes a group that asks for codes, unless another policy is given', async () => {
    const made = await daemon.run('group', 'create', 'Workshop');
    expect(made).toEqual({
      code: 0,
      out: expect.stringMatching(/^Made Workshop \(\S{8}\)\.\nNext: pipevine group invite "Workshop"\n$/),
      err: '',
    });
    await daemon.run('group', 'create', 'Club', '--policy', 'open', '--no-listed', '--role', 'guest', '--role', 'host');
    expect(daemon.peer.calls).toEqual([
      'create Workshop {"policy":{"type":"code"}}',
      'create Club {"policy":{"type":"open"},"listed":false,"roles":["guest","host"]}',
    ]);
  });

  it('takes approvers of a quorum by name, by id, and itself', async () => {
    const { code, out } = await daemon.run(
      ...['group', 'create', 'Friends', '--policy', 'quorum', '--needed', '2', '--json'],
      ...['--approver', 'attic', '--approver', idOf(40), '--approver', 'cellar'],
    );
    expect(code).toBe(0);
    expect(lines(out)).toMatchObject([{ policy: 'quorum', needed: 2, approvers: [idOf(7), idOf(40), idOf(1)] }]);
  });

  it('asks for a password twice, unseen, and never takes it as an argument', async () => {
    const made = await daemon.runAsked(['sesame', 'sesame'], 'group', 'create', 'Cinema', '--policy', 'password');
    expect(made).toMatchObject({ code: 0, asked: ['(secret) Password for Cinema: ', '(secret) The same again: '] });
    expect(daemon.peer.calls[0]).toContain('"password":"sesame"');
    expect(made.out + made.err).not.toContain('sesame');
    const differs = await daemon.runAsked(['sesame', 'Sesame'], 'group', 'create', 'Cinema', '--policy', 'password');
    expect(differs).toMatchObject({ code: 2, err: expect.stringContaining('not the same; nothing was done') });
    expect(await daemon.run('group', 'create', 'Cinema', '--policy', 'password')).toMatchObject({
      code: 2,
      err: expect.stringContaining('nobody can be asked here'),
    });
    expect(await daemon.run('group', 'create', 'Cinema', '--password', 'sesame')).toMatchObject({ code: 2 });
    expect(daemon.peer.calls).toHaveLength(1);
  });

  it.each([
    [['--policy', 'vote'], '"policy" must be one of open, code, password, approval, quorum'],
    [['--policy', 'quorum'], '--policy quorum needs --needed K and an --approver PEER'],
    [['--policy', 'quorum', '--needed', '2', '--approver', 'attic'], 'a whole number from 1 to 1'],
    [['--needed', '2'], '--needed and --approver belong to --policy quorum, not to code'],
    [['--role', 'gest'], 'there is no role "gest"; did you mean "guest"?'],
    [['--listed=yes'], '--listed takes no value'],
    [['--password-file', '/nowhere'], '--password-file belongs to --policy password'],
    [['--policy', 'password', '--password-file', '/nowhere'], '--password-file: /nowhere cannot be read'],
  ])('exits 2 for %j', async (args, message) => {
    expect(await daemon.run('group', 'create', 'X', ...args)).toMatchObject({
      code: 2,
      err: expect.stringContaining(message),
    });
    expect(daemon.peer.calls).toEqual([]);
  });
});

describe('group list', () => {
  it('shows own groups and applications that wait', async () => {
    await daemon.run('group', 'join', 'Friends');
    expect((await daemon.run('group', 'list')).out).toMatch(
      /^NAME +GROUP +POLICY +STATE +ROLES\nFriends +\S{8} +- +waiting for approval +-\nhome of cellar +\S{8} +code +joined +guest\n$/,
    );
    expect(lines((await daemon.run('group', 'list', '--json')).out)).toEqual([
      {
        id: expect.stringMatching(/^urn:pipevine:group:/),
        name: 'home of cellar',
        state: 'joined',
        policy: 'code',
        listed: false,
        roles: ['guest'],
      },
      {
        id: daemon.peer.found[2]?.id,
        name: 'Friends',
        state: 'pending',
        policy: null,
        listed: null,
        roles: [],
        since: '2026-11-21T08:00:00.000Z',
      },
    ]);
  });

  it('shows each group nearby once, asking at the seeds, too', async () => {
    const { out } = await daemon.run('group', 'list', '--nearby', '--seed', 'tcp://10.0.0.1:7473', '--json');
    expect(daemon.peer.calls).toEqual(['find tcp://10.0.0.1:7473']);
    expect(lines(out).map(({ name, policy, joined }) => [name, policy, joined])).toEqual([
      ['Club', 'open', false],
      ['Cinema', 'password', false],
      ['Friends', 'approval', false],
      ['Office', 'code', false],
    ]);
  });
});

describe('group show', () => {
  it('shows policy, rights and rendezvous of the only group', async () => {
    const { out } = await daemon.run('group', 'show');
    expect(out).toContain('home of cellar\n  id         urn:pipevine:group:');
    expect(out).toContain('may        discover, read, name:cellar*');
    expect(out).toMatch(/rendezvous lease at \S{8} for 1 min 30 s, 2 rendezvous known/);
    const [report] = lines((await daemon.run('group', 'show', '--json')).out);
    expect(report).toMatchObject({
      policy: 'code',
      needed: null,
      approvers: [],
      capabilities: ['discover', 'read', 'name:cellar*'],
      serial: 'qown',
      notAfter: '2026-11-21T08:00:00.000Z',
      rendezvous: { serving: false, lease: { rendezvous: idOf(7), remainingMs: 90_000 }, clients: 0 },
      applicants: 0,
    });
  });

  it('asks which group where there are several, and takes it either way', async () => {
    await daemon.run('group', 'create', 'Workshop');
    expect(await daemon.run('group', 'show')).toMatchObject({
      code: 2,
      err: expect.stringContaining('2 groups: "home of cellar", "Workshop"; choose one with --group'),
    });
    expect((await daemon.run('group', 'show', 'workshop')).out).toMatch(/^Workshop\n/);
    expect((await daemon.run('group', 'show', '--group', 'work')).out).toMatch(/^Workshop\n/);
    expect((await daemon.run('group', 'show', 'Werkshop')).err).toContain('did you mean "Workshop"?');
    expect((await daemon.run('group', 'show', 'zoo')).err).toContain('`pipevine group list` lists the 2 known');
  });
});

describe('group join', () => {
  const CODE = 'BCODE-AAAAA-AAAAA-AAAAA-AAAAA-AAAAA-AAAAA-AAAAA-AAAAA';

  it('takes a code', async () => {
    expect(await daemon.run('group', 'join', CODE)).toEqual({ code: 0, out: 'Joined home of cellar.\n', err: '' });
    expect(daemon.peer.calls).toEqual([`join ${CODE}`, 'joined by ']);
    const [json] = lines((await daemon.run('join', 'BCODE', '--json')).out);
    expect(json).toEqual({ state: 'joined', group: daemon.peer.groups[1]?.id, groupName: 'home of cellar' });
  });

  it('takes a name, and remembers the seeds', async () => {
    const joined = await daemon.run('group', 'join', 'club', '--seed', 'tcp://10.0.0.1:7473');
    expect(joined).toEqual({ code: 0, out: 'Joined Club.\n', err: '' });
    expect(daemon.peer.calls).toEqual(['find tcp://10.0.0.1:7473', 'join Club', 'joined by tcp://10.0.0.1:7473']);
  });

  it('takes the id of a group that nobody shows', async () => {
    const id = daemon.peer.found[0]?.id ?? '';
    daemon.peer.found = [];
    expect(await daemon.run('group', 'join', id)).toMatchObject({ code: 0, out: 'Joined unlisted.\n' });
  });

  it('asks for the password of a group that has one; a wrong one exits 5', async () => {
    const joined = await daemon.runAsked(['sesame'], 'group', 'join', 'Cinema');
    expect(joined).toMatchObject({ code: 0, asked: ['(secret) Password of Cinema: '], out: 'Joined Cinema.\n' });
    expect(await daemon.runAsked(['guess'], 'group', 'join', 'Cinema')).toMatchObject({ code: 5 });
    expect(await daemon.run('group', 'join', 'Cinema')).toMatchObject({ code: 2 });
  });

  it('takes the password from a file or from standard input, in one form for all keyboards', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pipevine-password-'));
    const file = join(folder, 'password');
    writeFileSync(file, 'u\u0308ber\r\nnot this\n');
    await daemon.run('group', 'join', 'Cinema', '--password-file', file);
    expect(daemon.peer.calls).toContain('join Cinema \u00fcber');
    const piped = await daemon.runAsked([], 'group', 'join', 'Cinema', '--password-file', '-');
    expect(piped).toMatchObject({ code: 0, asked: [] });
    rmSync(folder, { recursive: true });
  });

  it('says that an application waits, and exits 0', async () => {
    expect(await daemon.run('group', 'join', 'Friends')).toEqual({
      code: 0,
      out: 'Application to Friends sent; waiting for approval. The running peer goes on asking.\n',
      err: '',
    });
    const [json] = lines((await daemon.run('group', 'join', 'Friends', '--json')).out);
    expect(json).toMatchObject({ state: 'pending', groupName: 'Friends', have: 0, needed: 1 });
  });

  it('says what to do about a group that takes codes, an unknown name, and nothing nearby', async () => {
    expect(await daemon.run('group', 'join', 'Office')).toMatchObject({
      code: 5,
      err: 'pipevine: Office takes members by join codes; ask for one: pipevine group join CODE\n',
    });
    expect(await daemon.run('group', 'join', 'Clab')).toMatchObject({
      code: 3,
      err: expect.stringContaining('did you mean "Club"?'),
    });
    daemon.peer.found = [];
    expect(await daemon.run('group', 'join', 'Club')).toMatchObject({
      code: 3,
      err: expect.stringContaining('no group is shown nearby'),
    });
  });
});

describe('group invite', () => {
  it('gives roles to who joins, for a day', async () => {
    expect((await daemon.run('group', 'invite', '--role', 'guest', '--lifetime', '24h')).out).toContain('BCODE');
    expect(await daemon.run('group', 'invite', '--uses', '0')).toMatchObject({ code: 2 });
    expect(await daemon.run('invite', '--role', 'king')).toMatchObject({ code: 2 });
    expect(daemon.peer.calls).toEqual(['invite 86400000 undefined guest']);
  });
});

describe('applicants', () => {
  beforeEach(() => {
    const one = { askedAtMs: Date.UTC(2026, 10, 21, 9), have: 0, needed: 1 };
    daemon.peer.applicants = [
      { ...one, peer: idOf(50), name: 'Bob', serial: 'qbob' },
      { ...one, peer: idOf(51), name: 'Eve', serial: 'qeve', needed: 2, have: 1 },
    ];
  });

  it('are listed over all groups', async () => {
    await daemon.run('group', 'create', 'Workshop');
    expect((await daemon.run('group', 'approve')).out).toMatch(
      /^NAME +PEER +GROUP +ASKED +APPROVED\nBob +\S{8} +home of cellar +2026-11-21 09:00 +0 of 1\nEve .* 1 of 2\n$/,
    );
    expect(lines((await daemon.run('group', 'approve', '--json')).out)[0]).toEqual({
      peer: idOf(50),
      name: 'Bob',
      group: daemon.peer.groups[1]?.id,
      groupName: 'home of cellar',
      serial: 'qbob',
      askedAt: '2026-11-21T09:00:00.000Z',
      have: 0,
      needed: 1,
    });
  });

  it('are approved and rejected by name or serial', async () => {
    expect((await daemon.run('group', 'approve', 'bob')).out).toBe('Approved Bob, who becomes a member now.\n');
    expect((await daemon.run('group', 'reject', 'qeve')).out).toBe('Rejected Eve.\n');
    expect(daemon.peer.calls).toEqual(['home of cellar: approve qbob', 'home of cellar: reject qeve']);
    expect((await daemon.run('group', 'approve')).out).toBe('Nobody waits.\n');
    expect(await daemon.run('group', 'approve', 'Bob')).toMatchObject({ code: 3 });
  });
});

describe('members', () => {
  it('are listed with what they may, and whether they are there', async () => {
    const { out } = await daemon.run('group', 'members');
    expect(out).toMatch(
      /^NAME +PEER +ROLES +BESIDES +STATE +UNTIL\nattic +\S{8} +member +name:attic\* +online +2026-11-21 08:00\n/,
    );
    expect(out).toMatch(/\nthief +\S{8} +guest +- +revoked +-\n$/);
    expect(lines((await daemon.run('group', 'members', '--json')).out)[1]).toEqual({
      peer: idOf(7),
      name: 'attic',
      group: daemon.peer.groups[1]?.id,
      groupName: 'home of cellar',
      roles: ['member'],
      capabilities: ['name:attic*'],
      serial: 'q7attic',
      notAfter: '2026-11-21T08:00:00.000Z',
      online: true,
      revoked: false,
    });
  });

  it('are granted roles and capabilities', async () => {
    const granted = await daemon.run(
      ...['group', 'grant', 'attic', '--role', 'member', '--role', 'rendezvous', '--can', 'name:attic*'],
    );
    expect(granted).toEqual({
      code: 0,
      out: 'attic has now in home of cellar: member, rendezvous, name:attic*.\n',
      err: '',
    });
    expect(daemon.peer.calls).toEqual([
      'home of cellar: grant attic {"roles":["member","rendezvous"],"capabilities":["name:attic*"]}',
    ]);
    for (const [args, message] of [
      [[], 'needs --role or --can'],
      [['--can', 'wirte'], 'there is no capability "wirte"; did you mean "write"? (or name:PATTERN)'],
      [['--can', 'name:'], 'there is no capability "name:"'],
      [['--role', 'toString'], 'there is no role "toString"; expected guest, member'],
    ] as const) {
      const result = await daemon.run('group', 'grant', 'attic', ...args);
      expect(result).toMatchObject({ code: 2, err: expect.stringContaining(message) });
    }
  });

  it('are revoked when the person agrees, or with --yes', async () => {
    const [asked] = (await daemon.runAsked(['n'], 'group', 'revoke', 'attic')).asked;
    expect(asked).toMatch(/^Put attic \(\S{8}\) out of home of cellar\? \[y\/N\] $/);
    expect(await daemon.run('group', 'revoke', 'attic')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--yes'),
    });
    expect(daemon.peer.calls).toEqual([]);
    expect(await daemon.runAsked(['y'], 'group', 'revoke', 'attic')).toMatchObject({ code: 0 });
    expect((await daemon.run('group', 'revoke', 'q7attic', '--yes')).out).toMatch(/^Revoked attic \(\S{8}\)\./);
    expect(daemon.peer.calls).toEqual(['home of cellar: revoke attic', 'home of cellar: revoke attic']);
  });
});

describe('group leave', () => {
  it('gives up a membership, or an application', async () => {
    expect(await daemon.run('group', 'leave', 'home of cellar')).toEqual({
      code: 0,
      out: 'Left home of cellar.\n',
      err: '',
    });
    await daemon.run('group', 'leave', 'home', '--end');
    await daemon.run('group', 'join', 'Friends');
    expect((await daemon.run('group', 'leave', 'Friends')).out).toBe('Left Friends.\n');
    expect(daemon.peer.calls).toEqual([
      'resign home false',
      'resign home true',
      expect.stringMatching('find'),
      'join Friends',
      'joined by ',
      `resign ${daemon.peer.found[2]?.id} false`,
    ]);
    expect(await daemon.run('group', 'leave', 'nowhere')).toMatchObject({ code: 3 });
  });
});

describe('group password', () => {
  it('is changed where there is one', async () => {
    await daemon.runAsked(['a', 'a'], 'group', 'create', 'Cinema', '--policy', 'password');
    const changed = await daemon.runAsked(['sesame', 'sesame'], 'group', 'password', 'Cinema');
    expect(changed).toMatchObject({ code: 0, asked: ['(secret) New password for Cinema: ', expect.any(String)] });
    expect(daemon.peer.calls.at(-1)).toBe('Cinema: password sesame');
    expect(await daemon.run('group', 'password', 'home of cellar')).toMatchObject({
      code: 2,
      err: 'pipevine: home of cellar has the policy code, so it has no password\n',
    });
  });
});

describe('info', () => {
  it('shows another member', async () => {
    const { out } = await daemon.run('info', 'attic');
    expect(out).toMatch(
      /^"attic" \(\S{8}\), edge, version 0\.1\.0\n {2}up 1 h, 40 MB of memory, 20 kB in, 900 B out\n {2}1 link; 1 group in common\n\nLINK TO +ADDRESS +ROUND TRIP\n\S{8} +tcp:\/\/192\.168\.1\.5:7473 +1\.5 ms\n$/,
    );
    const [json] = lines((await daemon.run('info', 'attic', '--json')).out);
    expect(json).toMatchObject({ peer: idOf(7), ...daemon.peer.info });
  });

  it('says that the links are not told, and exits 3 for a stranger', async () => {
    daemon.peer.info = { ...daemon.peer.info, links: undefined, memoryBytes: undefined };
    expect((await daemon.run('info', 'attic')).out).toContain('1 link, not told where to');
    expect(lines((await daemon.run('info', 'attic', '--json')).out)).toMatchObject([
      { links: null, memoryBytes: null },
    ]);
    expect(await daemon.run('info', 'nobody')).toMatchObject({ code: 3 });
  });
});

describe('status', () => {
  it('shows the rendezvous and what waits', async () => {
    await daemon.run('group', 'join', 'Friends');
    const { out } = await daemon.run('status');
    expect(out).toMatch(/rendezvous lease at \S{8} for 1 min 30 s, 2 rendezvous known \(home of cellar\)/);
    expect(out).toMatch(/applied {4}to Friends \(\S{8}\), waiting for approval/);
    expect(lines((await daemon.run('status', '--json')).out)).toMatchObject([
      { groups: [{ rendezvous: { clients: 0 }, relays: { serving: true } }], applications: [{ name: 'Friends' }] },
    ]);
  });
});

describe('subcommands', () => {
  it('are listed by their family and explained one by one', async () => {
    const family = await daemon.run('group');
    expect(family).toMatchObject({ code: 0, out: expect.stringContaining('Usage: pipevine group COMMAND') });
    expect(await daemon.run('help', 'group')).toEqual(family);
    expect(await daemon.run('group', '--help')).toEqual(family);
    expect(family.out.match(/^ {2}group \w+/gm)?.map((line) => line.trim().slice(6))).toEqual(
      'approve create grant invite join leave list members password reject revoke show'.split(' '),
    );
    const one = await daemon.run('group', 'join', '--help');
    expect(one.out).toContain('Usage: pipevine group join CODE|NAME|ID [OPTIONS]');
    expect(one.out).toContain('--password-file FILE');
    expect(await daemon.run('help', 'group', 'join')).toEqual(one);
    expect((await daemon.run('help')).out).toMatch(/^ {2}group COMMAND +groups of peers/m);
    expect((await daemon.run('help')).out).not.toContain('group create');
  });

  it.each([
    [['group', 'crate'], 'there is no command "group crate"; did you mean "group create"?'],
    [['gruop', 'list'], 'there is no command "gruop"; did you mean "group"?'],
    [['group', 'zzz'], 'there is no command "group zzz"; `pipevine help group` shows how'],
    [['group', 'leave'], '"group leave" needs GROUP; `pipevine help group leave` shows how'],
    [['group', 'list', '--nearbi'], '"group list" has no option --nearbi; did you mean --nearby?'],
  ])('exits 2 for %j', async (args, message) => {
    expect(await daemon.run(...args)).toMatchObject({ code: 2, err: `pipevine: ${message}\n` });
  });

  it('of administrators are not in a build for edges, which says so', async () => {
    const edge = (...args: string[]) => runAt(daemon.home, args, { edge: true });
    expect((await edge('group')).out).not.toContain('group create');
    expect((await edge('group', 'create', 'X')).err).toContain('this build is for edge peers');
    expect(await edge('group', 'list')).toMatchObject({ code: 0 });
  });
});

describe('names of others', () => {
  it.each([
    ['group list'],
    ['group list --nearby'],
    ['group show evil'],
    ['group members --group evil'],
    ['group approve'],
    ['status'],
    ['group join evil'],
    ['group revoke evil --yes --group evil'],
    ['group grant evil --role member --group evil'],
    ['group approve evil'],
    ['group leave evil'],
    ['info attic --group evil'],
    ['info attic --group evil --json'],
    ['group members --group evil --json'],
    ['group show'],
  ])('never reach the terminal as they are: %s', async (command) => {
    const { peer } = daemon;
    const group = await peer.createGroup({ name: HOSTILE });
    peer.found = [{ id: group.id, name: HOSTILE, policy: 'open', administrator: idOf(9) }];
    peer.applications = [{ group: group.id, name: HOSTILE, since: 0 }];
    if (command.startsWith('group leave')) peer.applications = [];
    if (command.startsWith('group join')) peer.groups.pop();
    peer.memberList = peer.memberList
      .map((member) => ({ ...member, name: HOSTILE, capabilities: [HOSTILE] }))
      .slice(0, 1);
    peer.applicants = [{ peer: idOf(5), name: HOSTILE, serial: 'q', askedAtMs: 0, have: 0, needed: 1 }];
    const link = { peer: idOf(1), transport: HOSTILE, address: HOSTILE, rttMs: 1 };
    peer.info = { ...peer.info, name: HOSTILE, version: HOSTILE, roles: [HOSTILE], links: [link] };
    const { out, err } = await daemon.run(...command.split(' '));
    expect(out + err).toContain('evil');
    expect(out + err).not.toMatch(OBEYED);
    // A line feed in a name begins no line of its own.
    expect(out).not.toMatch(/^name/m);
  });

  it('do not in an error either', async () => {
    daemon.peer.resign = async () => {
      throw new PipevineError('refused', `${HOSTILE} says no`);
    };
    const { code, err } = await daemon.run('group', 'leave', 'home');
    expect(code).toBe(5);
    expect(err).not.toMatch(OBEYED);
  });
});
