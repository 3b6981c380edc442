import { describe, expect, it } from 'vitest';
import { groupIdFromBytes, WORLD_GROUP } from '../id/group-id.ts';
import { type PeerId, peerIdFromBytes } from '../id/peer-id.ts';
import { RoutedRelays } from './routed-relays.ts';

const HOME = groupIdFromBytes(new Uint8Array(32).fill(5));
const GARDEN = groupIdFromBytes(new Uint8Array(32).fill(6));
const peer = (byte: number): PeerId => peerIdFromBytes(new Uint8Array(32).fill(byte));

describe('relays of a peer', () => {
  it('are in the world group those that it names, and then those that others have told', () => {
    const relays = new RoutedRelays({ relaysOf: () => [peer(1)] });
    relays.told(peer(9), peer(2));
    relays.told(peer(9), peer(1));
    expect(relays.relaysOf(peer(9), WORLD_GROUP)).toEqual([peer(1), peer(2)]);
    expect(relays.relaysOf(peer(9), HOME)).toEqual([peer(1)]);
  });

  it('that others have told are few of one peer, and for few peers', () => {
    const relays = new RoutedRelays({ relaysOf: () => [] });
    for (let byte = 1; byte <= 10; byte++) relays.told(peer(200), peer(byte));
    expect(relays.relaysOf(peer(200), WORLD_GROUP)).toEqual([10, 9, 8, 7].map(peer));
    for (let byte = 0; byte < 64; byte++) relays.told(peer(byte), peer(201));
    expect(relays.relaysOf(peer(200), WORLD_GROUP)).toEqual([]);
  });

  it('are asked for in all groups when it is for the world group, and in one when it is for that', async () => {
    const relays = new RoutedRelays({ relaysOf: () => [] });
    const asked: string[] = [];
    for (const group of [HOME, GARDEN]) {
      const seek = async (): Promise<void> => void asked.push(group);
      relays.open(group, { routesTo: () => [], seek, failed: () => undefined, worked: () => undefined });
    }
    await relays.seek(peer(1), GARDEN);
    expect(asked).toEqual([GARDEN]);
    await relays.seek(peer(1), WORLD_GROUP);
    expect(asked).toEqual([GARDEN, HOME, GARDEN]);
  });
});
