import {
  identityFromSeed,
  type JsonValue,
  type PeerId,
  type Reading,
  type ThingInit,
  WORLD_GROUP,
} from '@pipevine/runtime';
import { MemoryStorage, nodeCrypto, seededRandom, VirtualClock } from '@pipevine/transports';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Connector, ConnectorHost } from './connector.ts';
import { type ProxyHost, type ProxyHostNotice, startProxyHost } from './proxy-host.ts';
import { CONNECTOR_CALL_TIMEOUT_MS, SILENT_DEVICE_GRACE_MS } from './virtual-peer/host-defaults.ts';
import type { HostedThing, HostingGroup, HostingPeer } from './virtual-peer/hosting-peer.ts';

const LAMP: ThingInit = {
  title: 'Lamp',
  properties: { power: { type: 'boolean', observable: true } },
  actions: { blink: {} },
};

/** A group that writes down what it is told. */
class RecordingGroup implements HostingGroup {
  readonly id = WORLD_GROUP;
  readonly said: string[] = [];
  readonly changes: Reading[] = [];
  find: ((peer: PeerId, key: string) => HostedThing | undefined) | undefined;
  failNext = 0;
  readonly shelf = new Map<string, string>();

  async publishAs(identity: { id: PeerId }, init: Parameters<HostingGroup['publishAs']>[1]): Promise<never> {
    if (this.failNext > 0) {
      this.failNext--;
      throw new Error('no room');
    }
    const availability = init.attributes?.availability;
    this.said.push(`${init.kind}${availability === undefined ? '' : ` ${availability}`}`);
    this.shelf.set(`${init.kind} ${identity.id}`, init.name ?? '');
    return undefined as never; // Nobody here looks at it.
  }

  async withdrawAs(identity: { id: PeerId }, name: { kind: string }): Promise<void> {
    this.said.push(`withdraw ${name.kind}`);
    this.shelf.delete(`${name.kind} ${identity.id}`);
  }

  addThings(provider: { find(peer: PeerId, key: string): HostedThing | undefined }) {
    this.find = provider.find;
    return { remove: () => (this.find = undefined) };
  }

  emitPropertyChange(_peer: PeerId, _key: string, _name: string, reading: Reading): void {
    this.changes.push(reading);
  }

  emitEvent(): void {}

  thingGone(): void {
    this.said.push('gone');
  }
}

class HandDrivenConnector implements Connector {
  readonly name = 'hand';
  host: ConnectorHost | undefined;
  readonly writes: [string, string, JsonValue][] = [];
  answer: () => Promise<void> = async () => {};

  async start(host: ConnectorHost): Promise<void> {
    this.host = host;
  }

  status() {
    return { writes: this.writes.length };
  }

  async write(key: string, property: string, value: JsonValue): Promise<void> {
    this.writes.push([key, property, value]);
    await this.answer();
  }

  async invoke(): Promise<JsonValue> {
    return 'done';
  }

  async close(): Promise<void> {
    this.host = undefined;
  }
}

describe('a proxy host', () => {
  let clock: VirtualClock;
  let storage: MemoryStorage;
  let group: RecordingGroup;
  let connector: HandDrivenConnector;
  let find: ((peer: PeerId) => unknown) | undefined;
  let notices: ProxyHostNotice[];
  const self = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(1));
  const peer: HostingPeer = {
    id: self.id,
    host: (peers) => {
      find = peers.find;
      return { release: () => (find = undefined) };
    },
  };
  const start = (options: { maxDevices?: number; hostSetSecret?: Uint8Array } = {}): Promise<ProxyHost> => {
    group = new RecordingGroup();
    connector = new HandDrivenConnector();
    notices = [];
    return clock.run(
      startProxyHost({
        peer,
        group,
        connectors: [connector],
        storage,
        clock,
        crypto: nodeCrypto,
        random: seededRandom(7),
        onNotice: (notice) => notices.push(notice),
        ...options,
      }),
    );
  };
  const context = { remotePeer: self.id, roles: ['member'], signal: new AbortController().signal };
  const peers = () => [...group.shelf.keys()].filter((name) => name.startsWith('thing')).map((name) => name.slice(6));
  const lamp = () => group.find?.(peers()[0] as PeerId, 'device'); // An id that the host itself published.

  beforeEach(() => {
    clock = new VirtualClock();
    storage = new MemoryStorage({ clock });
  });

  it('makes a device a peer of its own within a second, delegation first', async () => {
    await start();
    connector.host?.deviceAdded({ key: 'lamp', thing: LAMP });
    await clock.runFor(1_000);
    expect(group.said).toEqual(['delegation', 'thing up']);
    expect(peers()[0]).not.toBe(self.id);
    expect(find?.(peers()[0] as PeerId)).toMatchObject({ id: peers()[0] });
  });

  it('gives the device the same peer after a restart, and says nothing new when nothing is new', async () => {
    const first = await start();
    connector.host?.deviceAdded({ key: 'lamp', thing: LAMP });
    await clock.runFor(1_000);
    const [id] = peers();
    await clock.run(first.close());
    expect(find).toBeUndefined();
    await start();
    expect(find?.(id as PeerId)).toMatchObject({ id });
    connector.host?.deviceAdded({ key: 'lamp', thing: LAMP });
    await clock.runFor(1_000);
    expect(group.said).toEqual([]);
  });

  it('takes over the devices under other peers, and tells of them, when it gets the secret of another host set', async () => {
    const first = await start();
    connector.host?.deviceAdded({ key: 'lamp', thing: LAMP });
    await clock.runFor(1_000);
    const [before] = peers();
    await clock.run(first.close());
    await start({ hostSetSecret: new Uint8Array(32).fill(4) });
    await clock.runFor(1_000);
    const [after] = peers();
    expect(group.said).toEqual(['delegation', 'thing up']);
    expect(after).not.toBe(before);
    expect(find?.(after as PeerId)).toMatchObject({ id: after });
    expect(find?.(before as PeerId)).toBeUndefined();
  });

  it('advertises a changed description and a changed availability, several changes once', async () => {
    await start();
    connector.host?.deviceAdded({ key: 'lamp', thing: LAMP });
    await clock.runFor(1_000);
    group.said.length = 0;
    connector.host?.deviceAdded({ key: 'lamp', thing: { ...LAMP, title: 'Lamp 2' } });
    connector.host?.availabilityChanged('lamp', 'lost');
    await clock.runFor(1_000);
    expect(group.said).toEqual(['thing lost']);
  });

  it('withdraws a removed device, also when the process dies in between', async () => {
    await start();
    connector.host?.deviceAdded({ key: 'lamp', thing: LAMP });
    await clock.runFor(1_000);
    connector.host?.deviceRemoved('lamp');
    await clock.runFor(50);
    storage = storage.crash(clock);
    await start();
    await clock.runFor(1_000);
    expect(group.said).toEqual(['withdraw thing', 'withdraw delegation']);
    expect([...storage.scan('devices')]).toEqual([]);
  });

  it('reads the last value with its time, and says when there is none yet', async () => {
    await start();
    connector.host?.deviceAdded({ key: 'lamp', thing: LAMP });
    await clock.runFor(1_000);
    await expect(lamp()?.handlers.readProperty('power', context)).rejects.toMatchObject({ code: 'not-found' });
    connector.host?.valueChanged('lamp', 'power', true);
    const reading = { value: true, timestampMs: clock.wallMs() };
    expect(await lamp()?.handlers.readProperty('power', context)).toEqual(reading);
    expect(group.changes).toEqual([reading]);
  });

  it('passes a write on, and gives up on a device that does not take it', async () => {
    await start();
    connector.host?.deviceAdded({ key: 'lamp', thing: LAMP });
    await clock.runFor(1_000);
    await lamp()?.handlers.writeProperty('power', true, context);
    expect(connector.writes).toEqual([['lamp', 'power', true]]);
    connector.answer = () => new Promise(() => {});
    const stuck = lamp()?.handlers.writeProperty('power', false, context);
    const refusal = expect(stuck).rejects.toMatchObject({ code: 'timeout' });
    await clock.runFor(CONNECTOR_CALL_TIMEOUT_MS + 1);
    await refusal;
  });

  it('lists a device of the last run that nobody names any more as lost', async () => {
    const first = await start();
    connector.host?.deviceAdded({ key: 'lamp', thing: LAMP });
    await clock.runFor(1_000);
    await clock.run(first.close());
    await start();
    await clock.runFor(SILENT_DEVICE_GRACE_MS + 1_000);
    expect(group.said).toEqual(['thing lost']);
  });

  it('refuses devices beyond its limit, counted and told, and serves the others', async () => {
    const host = await start({ maxDevices: 2 });
    for (const key of ['a', 'b', 'c', 'd', 'e']) connector.host?.deviceAdded({ key, thing: LAMP });
    connector.host?.deviceAdded({ key: '', thing: LAMP });
    await clock.runFor(1_000);
    expect(host.status().devices).toEqual({ used: 2, limit: 2, dropped: 4 });
    expect(notices.filter((notice) => notice.type === 'device-refused')).toHaveLength(4);
    expect(peers()).toHaveLength(2);
  });

  it('tries again when a publication fails', async () => {
    const host = await start();
    group.failNext = 1;
    connector.host?.deviceAdded({ key: 'lamp', thing: LAMP });
    await clock.runFor(1_000);
    expect(group.said).toEqual([]);
    expect(host.status().publishing).toMatchObject({ used: 1, dropped: 1 });
    await clock.runFor(10_000);
    expect(group.said).toEqual(['delegation', 'thing up']);
  });

  it('renews delegations before they run out', async () => {
    await start();
    connector.host?.deviceAdded({ key: 'lamp', thing: LAMP });
    await clock.runFor(1_000);
    group.said.length = 0;
    await clock.runFor(5 * 24 * 60 * 60 * 1000);
    expect(group.said).toContain('delegation');
    expect(group.said).not.toContain('thing up');
  });
});
