import { VirtualClock } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { FakeResolvers } from '../resolver/testing/fake-resolvers.ts';
import type { PeerInfoPolicy } from './peer-info.ts';
import { PeerInfoService } from './peer-info-service.ts';

/** One peer that tells and one that asks. */
function pair(init: { readonly policy?: Partial<PeerInfoPolicy>; readonly roles?: readonly string[] } = {}) {
  const clock = new VirtualClock();
  const network = new FakeResolvers(clock);
  const [told, asker] = [network.peer('gateway'), network.peer('asker', { roles: init.roles ?? ['member'] })];
  const neighbour = network.peer('neighbour').localPeer;
  const facts = {
    name: 'cellar',
    version: '0.1.0',
    roles: ['gateway'],
    uptimeMs: 61_000.4,
    bytesIn: 10,
    bytesOut: 20,
    memoryBytes: 50_000_000,
    links: [{ peer: neighbour, transport: 'tcp', address: 'tcp://10.0.0.2:7473', rttMs: 1.25 }],
  };
  const service = new PeerInfoService({
    resolver: told,
    facts: (peer) => ({ ...facts, groups: peer === asker.localPeer ? [network.group] : [] }),
    ...(init.policy && { policy: init.policy }),
  });
  const client = new PeerInfoService({ resolver: asker, facts: () => ({ ...facts, groups: [] }) });
  return { clock, network, told, asker, service, client, facts };
}

describe('peer information', () => {
  it('tells a member the basics, and how many links there are, but not where they lead', async () => {
    const { clock, client, told, network } = pair();
    expect(await clock.run(client.ask(told.localPeer))).toEqual({
      name: 'cellar',
      version: '0.1.0',
      roles: ['gateway'],
      uptimeMs: 61_000,
      bytesIn: 10,
      bytesOut: 20,
      memoryBytes: 50_000_000,
      linkCount: 1,
      groups: [network.group],
      links: undefined,
    });
  });

  it('tells an administrator the links, too, when it asks for them', async () => {
    const { clock, client, told, facts } = pair({ roles: ['administrator'] });
    expect(await clock.run(client.ask(told.localPeer))).toMatchObject({ linkCount: 1, links: facts.links });
    expect((await clock.run(client.ask(told.localPeer, { links: false }))).links).toBeUndefined();
  });

  it.each([
    [{ basics: 'administrators' }, ['member'], 'This peer tells administrators'],
    [{ basics: 'nobody' }, ['administrator'], 'This peer tells nobody'],
    [{}, ['host'], 'lacks the capability "read"'],
  ] as const)('with policy %j refuses %j', async (policy, roles, message) => {
    const { clock, client, told } = pair({ policy, roles });
    await expect(clock.run(client.ask(told.localPeer))).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining(message),
    });
  });

  it('tells members the links where the policy says so', async () => {
    const { clock, client, told, facts } = pair({ policy: { links: 'members' } });
    expect(await clock.run(client.ask(told.localPeer))).toMatchObject({ links: facts.links });
  });

  it('refuses nonsense with one clear error, and answers the next', async () => {
    const { clock, client, told, asker } = pair();
    const neighbour = await clock.run(asker.connect(told.localPeer));
    await expect(clock.run(neighbour.request('peerinfo', new Uint8Array([0xa1, 1, 5])))).rejects.toMatchObject({
      code: 'malformed',
    });
    expect(await clock.run(client.ask(told.localPeer))).toMatchObject({ name: 'cellar' });
  });

  it('does not answer a propagated question', async () => {
    const { clock, network, told, asker } = pair();
    network.link(told, asker);
    const answers: unknown[] = [];
    const asking = (async () => {
      for await (const answer of asker.query('peerinfo', new Uint8Array([0xa0]))) answers.push(answer);
    })();
    await clock.run(asking);
    expect(told.requests.get('peerinfo')).toBe(1);
    expect(answers).toEqual([]);
  });

  it('answers no more once it is closed', async () => {
    const { clock, client, told, service } = pair();
    service.close();
    await expect(clock.run(client.ask(told.localPeer))).rejects.toMatchObject({ code: 'not-found' });
  });
});
