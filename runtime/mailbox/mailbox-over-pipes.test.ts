/** The mailbox over real resolvers, pipes and links, on a memory network in virtual time. */
import { MemoryStorage, nodeCrypto, seededRandom } from '@pipevine/transports';
import { expect, it } from 'vitest';
import { cutLinks } from '../pipe/testing/overlay.ts';
import { type Member, ResolverNetwork } from '../resolver/testing/resolver-network.ts';
import { MailboxClient } from './mailbox-client.ts';
import { MailboxServer } from './mailbox-server.ts';

async function mailboxes() {
  const network = new ResolverNetwork();
  const { clock } = network;
  const relay = await network.member('relay', { roles: ['member', 'relay'] });
  const [alice, carol] = [await network.member('alice'), await network.member('carol')];
  const server = new MailboxServer({ resolver: relay.resolver, storage: new MemoryStorage({ clock }), clock });
  const access = network.group.directory().access(network.group.group);
  if (access === undefined) throw new Error('no group');
  const client = ({ resolver, identity, name }: Member) =>
    new MailboxClient({
      resolver,
      identity,
      access,
      storage: new MemoryStorage({ clock }),
      clock,
      random: seededRandom(`mailbox ${name}`),
      crypto: nodeCrypto,
      staticKeyOf: async () => carol.identity.agreement.publicKey,
      relaysOf: async () => [relay.identity.id],
      ownRelays: () => [relay.identity.id],
    });
  return { network, clock, relay, alice, carol, server, client };
}

const used = (server: MailboxServer, name: string) => server.status()[name]?.used;

it('keeps a hundred large messages for a member that does not answer, and gives each once though links break', async () => {
  const { network, clock, relay, alice, carol, server, client } = await mailboxes();
  await network.link([alice, relay]);
  const sender = client(alice);
  const sending = Array.from({ length: 100 }, (_, i) =>
    sender.send(carol.identity.id, new Uint8Array(20_000).fill(i), { timeoutMs: 60_000, receipt: true }),
  );
  const results = await clock.run(Promise.all(sending));
  expect(new Set(results.map(({ state }) => state))).toEqual(new Set(['stored']));
  const delivered = new Set<string>();
  sender.subscribe({ onDelivered: ({ id }) => delivered.add(id.join()) });
  const taken: number[] = [];
  const recipient = client(carol);
  recipient.receive(async ({ body }) => {
    taken.push(body[0] ?? -1);
    if (taken.length % 30 === 0) cutLinks(carol);
  });
  await network.link([carol, relay]);
  await clock.runUntil(() => delivered.size === 100 && used(server, 'mailbox messages') === 0, 600_000);
  expect(taken.sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  expect(used(server, 'mailbox readers')).toBe(1);
  await clock.run(Promise.all([sender.close(), recipient.close()]));
  await clock.runFor(1_000);
  expect(used(server, 'mailbox readers')).toBe(0);
});
