import { nodeCrypto } from '@pipevine/transports';
import { beforeAll, describe, expect, it } from 'vitest';
import { signCredential, verifyCredential } from '../../runtime/group/credential-codec.ts';
import { groupOf } from '../simulator/household.ts';
import { addressOf } from '../simulator/overlay.ts';
import type { Machine } from '../simulator/simulation.ts';
import { DAY, failureOf, HOUR, Home, identityOf } from './home.ts';

/** Who shows what, and the one error that it sees. */
const CASES = [
  ['expired', 'expired', /ran out/],
  ['revoked', 'revoked', /revoked/],
  ['forged', 'forged', /not signed/],
  ['self-made', 'forged', /authority/],
  ['other-group', 'refused', /for group/],
  ['replayed', 'refused', /belongs to peer/],
  ['outdated', 'revoked', /changed/],
  ['absent', 'refused', /no credential/],
] as const;
type Who = (typeof CASES)[number][0];

let home: Home;
let edges: Machine[];
const shown = new Map<Who, Uint8Array>();

beforeAll(async () => {
  home = await Home.make('credentials');
  const { clock, gateway } = home;
  shown.set('expired', await home.credential('expired', ['member']));
  // Longer than a credential is valid; all who are running renew theirs.
  clock.stepWall(50 * DAY);
  await clock.runFor(2 * HOUR);
  edges = [await home.edge('one'), await home.edge('two')];

  shown.set('revoked', await home.credential('revoked', ['member']));
  await clock.run(groupOf(gateway).revoke(identityOf('revoked').id));
  shown.set('outdated', await home.credential('outdated', ['member']));
  await clock.run(groupOf(gateway).grant(identityOf('outdated').id, { roles: ['guest'], capabilities: [] }));
  const good = await home.credential('good', ['gateway', 'administrator']);
  shown.set('replayed', good);
  shown.set(
    'forged',
    good.map((byte, i) => (i === good.length - 1 ? byte ^ 1 : byte)),
  );
  const [{ encoded: _, ...fields }] = verifyCredential(nodeCrypto, good);
  const own = { ...fields, subject: identityOf('self-made').id };
  shown.set('self-made', signCredential(identityOf('self-made').signing, own).encoded);
  const elsewhere = await Home.make('elsewhere');
  shown.set('other-group', await elsewhere.credential('other-group', ['gateway', 'administrator']));
  shown.set('absent', new Uint8Array(0));
});

/** Tries to use the group by each of the credentials. */
async function expectRefusals(): Promise<void> {
  for (const [who, code, message] of CASES) {
    const member = home.raw(who, shown.get(who) ?? expect.fail());
    await home.clock.run(member.link(addressOf('gateway')));
    const failure = await home.clock.run(failureOf(member.open(home.gateway.peer.id, 'resolver')));
    expect(failure, who).toMatchObject({ code, message: expect.stringMatching(message) });
    member.process.crash();
    await home.clock.runFor(100);
  }
  expect(await home.lookups(edges)).toEqual([2, 2]);
}

describe('a credential that does not do', () => {
  it('is refused with one clear error, and nobody else is disturbed', expectRefusals);

  it('is refused after a reboot of whoever is shown it', async () => {
    home.gateway.crash();
    await home.clock.run(home.gateway.start());
    await home.clock.runFor(30_000);
    await expectRefusals();
  });

  it('is refused with the clock an hour back, also after a reboot with that clock', async () => {
    home.clock.stepWall(-HOUR);
    await expectRefusals();
    home.gateway.crash();
    await home.clock.run(home.gateway.start());
    await home.clock.runFor(30_000);
    await expectRefusals();
    home.clock.stepWall(HOUR);
  });
});
