import { writeFileSync } from 'node:fs';
import mqtt, { type MqttClient } from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Household } from './group-journey.ts';
import { showLamp } from './hall-lamp.ts';
import { temporaryFolder } from './pipevine-process.ts';

const DEADLINE_MS = 60_000;

/** Machines, the lamp at one of them, and all of it gone afterwards. */
function household(lampAt?: string) {
  const at = {} as { machines: Household; folder: string }; // set before the first test
  const devices: MqttClient[] = [];
  let remove = async (): Promise<void> => undefined;
  beforeAll(async () => {
    const folder = await temporaryFolder();
    remove = folder.remove;
    at.folder = folder.path;
    at.machines = new Household({
      folder: folder.path,
      onGateway: async (machine, port) => {
        if (machine !== lampAt) return;
        const device = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`);
        devices.push(device);
        await showLamp(device);
      },
    });
  });
  afterAll(async () => {
    for (const device of devices) await device.endAsync(true);
    await at.machines?.end();
    await remove();
  });
  return at;
}

const addressIn = (lines: readonly string[]): string => /tcp:\S+/.exec(lines.join('\n'))?.[0] ?? 'no address';

async function codeOf(machines: Household, machine: string, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await machines.run(machine, 'group', 'invite', ...args, '--json');
  if (stdout === '') throw new Error(stderr);
  return String(JSON.parse(stdout).code);
}

/** The JSON lines of a command, repeated until there is one that is looked for. */
async function eventually(
  machines: Household,
  machine: string,
  args: readonly string[],
  wanted: (line: Record<string, unknown>) => boolean,
): Promise<Record<string, unknown>> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const { stdout, stderr } = await machines.run(machine, ...args, '--json');
    const found = stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line): Record<string, unknown> => JSON.parse(line))
      .find(wanted);
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`${machine}: pipevine ${args.join(' ')}: ${stdout}${stderr}`);
  }
}

describe('revoking a member that another gateway has admitted', () => {
  const at = household('shed');

  it('cuts what is open to it, says why, and lets it in no more', async () => {
    const { machines } = at;
    const cellar = addressIn(await machines.up('cellar', '--no-multicast'));
    const roles = ['--role', 'gateway', '--role', 'administrator'];
    const near = ['--no-multicast', '--seed', cellar];
    expect(await machines.run('shed', 'join', await codeOf(machines, 'cellar', ...roles), ...near)).toMatchObject({
      code: 0,
    });
    const shed = addressIn(await machines.up('shed', ...near));
    const far = ['--no-multicast', '--seed', shed];
    const code = await codeOf(machines, 'shed', '--group', 'home of cellar', '--uses', '2');
    expect(await machines.run('thief', 'join', code, ...far)).toMatchObject({ code: 0 });
    await machines.up('thief', '--profile', 'edge', ...far);
    await eventually(machines, 'thief', ['things'], ({ name }) => name === 'Hall lamp');
    const observation = await machines.start('thief', 'observe', 'Hall lamp', 'temperature');
    await observation.stdout.next((line) => (line === '21.5' ? true : undefined), DEADLINE_MS);

    const members = ['group', 'members', 'home of cellar'];
    await eventually(machines, 'cellar', members, ({ name }) => name === 'thief');

    const revoked = await machines.run('cellar', 'group', 'revoke', 'thief', '--group', 'home of cellar', '--yes');
    expect(revoked).toMatchObject({ code: 0, stderr: '' });
    const why = await observation.stderr.next((line) => line, DEADLINE_MS);
    expect(why).toBe('pipevine: This membership was revoked or changed; ask an administrator of the group.');
    expect(await observation.exited).toBe(5);
    expect(await machines.run('thief', 'read', 'Hall lamp', 'temperature')).toMatchObject({ code: 5 });
    expect(await machines.run('thief', 'join', code)).toMatchObject({ code: 5, stdout: '' });
    await eventually(machines, 'shed', members, ({ name, revoked }) => name === 'thief' && revoked === true);
  }, 240_000);
});

describe('a group that is treated badly', () => {
  const at = household();
  const group = ['--group', 'home of cellar'];

  beforeAll(async () => {
    await at.machines.up('cellar');
    await at.machines.up('barn');
    await at.machines.up('phone', '--profile', 'edge');
    expect(await at.machines.run('barn', 'join', await codeOf(at.machines, 'cellar'))).toMatchObject({ code: 0 });
    await eventually(at.machines, 'cellar', ['group', 'members'], ({ name }) => name === 'barn');
  }, 120_000);

  it('names nobody as revoked who is no member', async () => {
    const nobody = await at.machines.run('cellar', 'group', 'revoke', 'nobody', ...group, '--yes');
    expect(nobody).toMatchObject({ code: 3, stderr: expect.stringContaining('no member is called "nobody"') });
  });

  it('revokes nobody unasked where nobody can be asked', async () => {
    const unasked = await at.machines.run('cellar', 'group', 'revoke', 'barn', ...group);
    expect(unasked).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') });
    await eventually(at.machines, 'cellar', ['group', 'members'], (one) => one.name === 'barn' && !one.revoked);
  });

  it('lets a plain member invite, grant and revoke nobody', async () => {
    for (const args of [
      ['invite', 'home of cellar'],
      ['grant', 'cellar', '--role', 'guest', ...group],
      ['revoke', 'cellar', ...group, '--yes'],
    ]) {
      const { code, stderr } = await at.machines.run('barn', 'group', ...args);
      expect({ args, code, stderr }).toMatchObject({ code: 5, stderr: expect.stringContaining('administrator') });
    }
  }, 120_000);

  it('lets nobody approve an applicant who may not', async () => {
    const { machines } = at;
    await machines.run('cellar', 'group', 'create', 'Club', '--policy', 'approval');
    const code = await codeOf(machines, 'cellar', 'Club');
    expect(await machines.run('barn', 'join', code)).toMatchObject({ code: 0 });
    expect(await machines.run('phone', 'group', 'join', 'Club')).toMatchObject({ code: 0 });
    await eventually(machines, 'barn', ['group', 'approve'], ({ name }) => name === 'phone');
    const approved = await machines.run('barn', 'group', 'approve', 'phone');
    expect(approved).toMatchObject({ code: 5, stdout: '', stderr: expect.stringContaining('administrator') });
    expect((await machines.run('phone', 'group', 'list')).stdout).toContain('waiting for approval');
  }, 120_000);

  it('says that a code ran out', async () => {
    const { machines } = at;
    const code = await codeOf(machines, 'cellar', 'home of cellar', '--lifetime', '1s');
    // Nothing tells of the end of a code but the clock.
    for (const endMs = Date.now() + 1_000; Date.now() <= endMs; ) await machines.run('cellar', 'status');
    const late = await machines.run('phone', 'join', code);
    expect(late).toMatchObject({ code: 5, stderr: expect.stringContaining('ran out') });
  }, 120_000);

  it('takes a few wrong passwords of a peer, then none for a while, and lets others in meanwhile', async () => {
    const { machines, folder } = at;
    writeFileSync(`${folder}/right`, 'open sesame\n');
    writeFileSync(`${folder}/wrong`, 'open barley\n');
    writeFileSync(`${folder}/short`, 'sesame\n');
    const create = ['group', 'create', 'Book club', '--policy', 'password', '--password-file'];
    expect(await machines.run('cellar', ...create, `${folder}/short`)).toMatchObject({ code: 2 });
    expect(await machines.run('cellar', ...create, `${folder}/right`)).toMatchObject({ code: 0 });
    const made = await eventually(machines, 'cellar', ['group', 'list'], ({ name }) => name === 'Book club');
    const join = (machine: string, file: string) =>
      machines.run(machine, 'group', 'join', String(made.id), '--password-file', `${folder}/${file}`);
    const answers = [];
    for (let attempt = 0; attempt < 6; attempt++) answers.push(await join('phone', 'wrong'));
    expect(answers).toMatchObject(Array.from({ length: 6 }, () => ({ code: 5, stdout: '' })));
    expect(answers[0]?.stderr).toContain('not the password of group "Book club"');
    expect(answers[5]?.stderr).toContain('wait a minute');
    expect(await join('phone', 'right')).toMatchObject({ code: 5, stderr: expect.stringContaining('wait a minute') });
    expect(await join('barn', 'right')).toMatchObject({ code: 0, stdout: 'Joined Book club.\n' });
    expect(await machines.run('phone', 'group', 'join', 'Book club')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--password-file'),
    });
  }, 180_000);
});
