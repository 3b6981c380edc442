import { createEdgePeer, type PeerId, peerIdToBytes, WORLD_GROUP } from '@pipevine/runtime';
import { encodeCanonical } from '@pipevine/runtime/protocol';
import { nodeCrypto } from '@pipevine/transports';
import { afterEach, describe, expect, it } from 'vitest';
import { groupFingerprint } from '../../runtime/membership/group-fingerprint.ts';
import { directoryName } from '../../runtime/membership/who-admits.ts';
import type { PeerPart } from '../../runtime/peer/peer-part.ts';
import { Home, MINUTE } from '../faults/home.ts';
import { groupOf } from '../simulator/household.ts';
import { addressOf } from '../simulator/overlay.ts';
import type { Machine } from '../simulator/simulation.ts';

let home: Home;

afterEach(() => home.simulation.finish());

/** A gateway that administers, a relay that does not, and somebody in no group that reaches the relay only. */
async function scene(seed: string) {
  home = await Home.make(seed);
  const { clock, simulation, gateway } = home;
  const relay = await simulation.start('relay', {
    roles: ['gateway'],
    listen: [addressOf('relay')],
    seeds: [addressOf(gateway.name)],
    localDiscovery: false,
  });
  const code = await clock.run(gateway.peer.invite(home.id, { roles: ['gateway'] }));
  await clock.run(relay.peer.join(code, { addresses: [addressOf(gateway.name)] }));
  await clock.runUntil(() => groupOf(gateway).relays().leases.includes(relay.peer.id), MINUTE);
  const stranger = await simulation.start('stranger', { localDiscovery: false });
  simulation.network.partition(['stranger'], ['gateway']);
  return { stranger };
}

/** Names whom it likes to whoever asks who admits to the group, and is no member. */
async function liar(name: string, named: readonly PeerId[]): Promise<{ machine: Machine; asked: string[] }> {
  const asked: string[] = [];
  const lying: PeerPart = ({ pipes }) => {
    const serve = (service: string, answer: () => Uint8Array) =>
      pipes.serve({ group: WORLD_GROUP, name: service, kinds: ['request'] }, async () => {
        asked.push(service);
        return answer();
      });
    const directory = serve(directoryName(groupFingerprint(nodeCrypto, home.id)), () =>
      encodeCanonical(named.map(peerIdToBytes)),
    );
    return { status: () => ({}), close: async () => directory.close() };
  };
  const machine = await home.simulation.start(name, {
    listen: [addressOf(name)],
    localDiscovery: false,
    create: (init) => createEdgePeer(init, [lying]),
  });
  return { machine, asked };
}

describe('a relay', () => {
  it('is not believed about who admits to a group: it costs one attempt each, and others are found', async () => {
    const { stranger } = await scene('liar');
    const { clock, gateway, id } = home;
    const { machine, asked } = await liar('liar', [
      home.gateway.peer.id,
      (await liar('accomplice', [])).machine.peer.id,
    ]);
    const code = await clock.run(gateway.peer.invite(id));
    const startMs = clock.monotonicMs();
    await clock.run(stranger.peer.join(code, { addresses: [addressOf('liar'), addressOf('relay')] }));
    expect(clock.monotonicMs() - startMs).toBeLessThan(5_000);
    expect(asked).toHaveLength(1);
    expect(machine.peer.groups).toEqual([]);
  });
});
