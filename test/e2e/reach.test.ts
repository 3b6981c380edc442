import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Household } from './group-journey.ts';
import { PipedCommand } from './piped-command.ts';
import { temporaryFolder } from './pipevine-process.ts';

const DEADLINE_MS = 30_000;

/** Members of the home of cellar, a gateway and relay: the edges kitchen and attic. Nothing by multicast. */
describe('the commands that tell and use the way to a peer', () => {
  let machines: Household;
  let near: readonly string[] = [];
  let remove = async (): Promise<void> => undefined;

  const hasLease = async (machine: string): Promise<boolean> => {
    const { stdout } = await machines.run(machine, 'group', 'show', 'home of cellar', '--json');
    return stdout !== '' && JSON.parse(stdout).relays.leases.length > 0;
  };
  const upWithLease = async (machine: string): Promise<void> => {
    await machines.up(machine, '--profile', 'edge', ...near);
    for (const deadline = Date.now() + DEADLINE_MS; !(await hasLease(machine)); ) {
      if (Date.now() > deadline) throw new Error(`${machine} got no lease in ${DEADLINE_MS} ms.`);
    }
  };

  beforeAll(async () => {
    const folder = await temporaryFolder();
    remove = folder.remove;
    machines = new Household({ folder: folder.path });
    const address = /tcp:\S+/.exec((await machines.up('cellar', '--no-multicast')).join('\n'))?.[0] ?? 'no address';
    near = ['--no-multicast', '--seed', address];
    const { stdout } = await machines.run('cellar', 'invite', '--uses', '2', '--json');
    for (const machine of ['kitchen', 'attic']) {
      expect(await machines.run(machine, 'join', JSON.parse(stdout).code, ...near)).toMatchObject({ code: 0 });
    }
    await Promise.all([upWithLease('kitchen'), upWithLease('attic')]);
  });

  afterAll(async () => {
    await machines.end();
    await remove();
  });

  it('explain says over which link a neighbour is reached', async () => {
    const { code, stdout } = await machines.run('attic', 'explain', 'cellar');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^"cellar" \([a-z2-7]{8}\): direct over tcp/);
  });

  it('explain tries a member that is not linked, and has a documented shape', async () => {
    const { code, stdout } = await machines.run('attic', 'explain', 'kitchen', '--json');
    expect(code).toBe(0);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ name: 'kitchen', groups: [{ name: 'home of cellar' }] });
    expect(['direct', 'relayed', 'ready']).toContain(report.state);
  });

  it('explain names what is nearest for a peer that nobody knows, and ends with 3', async () => {
    const { code, stderr } = await machines.run('attic', 'explain', 'kitchn');
    expect(code).toBe(3);
    expect(stderr).toContain('kitchen');
  });

  it('a message waits for who is away, and is printed once', async () => {
    await machines.down('kitchen');
    const sent = await machines.run('attic', 'mailbox', 'send', 'kitchen', 'the kettle is on');
    expect(sent).toMatchObject({ code: 0 });
    expect(sent.stdout).toMatch(/^Stored for kitchen at relay/);

    await upWithLease('kitchen');
    const receiver = new PipedCommand(['mailbox', 'receive', '--json'], await machines.environmentOf('kitchen'));
    const message = await receiver.value(({ type }) => type === 'message', DEADLINE_MS);
    expect(message).toMatchObject({ text: 'the kettle is on' });
    const second = await machines.run('attic', 'mailbox', 'send', 'kitchen', 'and the tea', '--receipt');
    expect(second).toMatchObject({ code: 0 });
    await receiver.value(({ text }) => text === 'and the tea', DEADLINE_MS);
    receiver.signal('SIGINT');
    await receiver.exit(DEADLINE_MS);
    expect(receiver.values.filter(({ type }) => type === 'message')).toHaveLength(2);

    const { stdout } = await machines.run('attic', 'mailbox', 'status', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ waiting: { messages: 0 } });
  });
});
