import {
  type Advertisement,
  type ConsumedThing,
  groupIdFromBytes,
  identityFromSeed,
  type JsonValue,
  type ObservationNotice,
  type Peer,
  type PeerGroup,
  PipevineError,
  peerIdFromBytes,
  type ThingDescription,
  type ThingSummary,
  WORLD_GROUP,
} from '@pipevine/runtime';
import { nodeCrypto } from '@pipevine/transports';

const AT_MS = Date.UTC(2026, 10, 21, 8);

const idOf = (byte: number) => peerIdFromBytes(new Uint8Array(32).fill(byte));
const HOME = groupIdFromBytes(new Uint8Array(32).fill(9));

const TYPES: Readonly<Record<string, Readonly<Record<string, JsonValue>>>> = {
  power: { type: 'boolean' },
  temperature: { type: 'number', readOnly: true },
  mode: { type: 'string', enum: ['Warm', 'Cold'] },
};

function describe(id: string, title: string): ThingDescription {
  const forms = [{ href: 'pipevine:' }];
  return {
    '@context': 'https://www.w3.org/2022/wot/td/v1.1',
    id,
    title,
    security: 'nosec',
    securityDefinitions: { nosec: { scheme: 'nosec' } },
    properties: Object.fromEntries(Object.entries(TYPES).map(([name, schema]) => [name, { ...schema, forms }])),
    actions: { blink: { forms, input: { type: 'integer' } } },
    events: { pressed: { forms } },
  };
}

/** A peer with a few things in memory, for the tests of what stands on a peer. It records what was done to it. */
export class FakePeer implements Peer {
  readonly id = idOf(1);
  readonly name = 'cellar';
  readonly identity = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(1));
  readonly addresses = ['tcp://192.168.1.5:7473'];
  readonly groups: PeerGroup[];
  readonly calls: string[] = [];
  /** What the next observations yield, before they wait for their end. */
  notices: ObservationNotice[] = [];
  endedObservations = 0;

  constructor(titles: readonly string[] = ['Hall lamp', 'Heater', 'Heater']) {
    const things = titles.map((title, index) => this.#summary(title, index + 2));
    this.groups = [this.#group(WORLD_GROUP, 'world', []), this.#group(HOME, 'home of cellar', things)];
  }

  group(id: string): PeerGroup | undefined {
    return this.groups.find((group) => group.id === id);
  }

  async createGroup(): Promise<PeerGroup> {
    throw new PipevineError('unsupported', 'not here');
  }

  async invite(_group: string, options?: { readonly lifetimeMs?: number; readonly uses?: number }): Promise<string> {
    this.calls.push(`invite ${options?.lifetimeMs} ${options?.uses}`);
    return 'BCODE';
  }

  async join(code: string): Promise<PeerGroup> {
    this.calls.push(`join ${code}`);
    const group = this.group(HOME);
    if (code !== 'BCODE' || group === undefined)
      throw new PipevineError('expired', 'the code has run out; ask for another');
    return group;
  }

  async resign(): Promise<void> {}

  host() {
    return { release: () => {} };
  }

  subscribe() {
    return () => {};
  }

  status() {
    return {
      peer: this.id,
      name: this.name,
      roles: ['gateway'],
      uptimeMs: 61_000,
      groups: [{ id: HOME, name: 'home of cellar', roles: ['administrator'] }],
      addresses: this.addresses,
      links: [
        { peer: idOf(7), transport: 'tcp', address: 'tcp://192.168.1.9:50000', rttMs: 1.25, bytesIn: 10, bytesOut: 20 },
      ],
      queues: { links: { used: 1, limit: 256, dropped: 0 } },
    };
  }

  async close(): Promise<void> {}

  #summary(title: string, byte: number): ThingSummary {
    const peer = idOf(byte);
    const id = `urn:pipevine:thing:${peer.slice(peer.lastIndexOf(':') + 1)}:device`;
    const description = describe(id, title);
    return { id, title, peer, host: this.id, group: HOME, connector: 'mqtt', availability: 'up', description };
  }

  #group(id: PeerGroup['id'], name: string, things: readonly ThingSummary[]): PeerGroup {
    const unsupported = async () => {
      throw new PipevineError('unsupported', 'not here');
    };
    const consume = async (thing: ThingSummary | string) => this.#consume(thing);
    const advertisement: Advertisement = {
      kind: 'peer',
      group: id,
      publisher: idOf(7),
      key: '',
      sequence: 3,
      issuedAtMs: AT_MS,
      expirationMs: 7_200_000,
      name: 'attic',
      attributes: new Map([['profile', 'edge']]),
      body: new Uint8Array(5),
      encoded: new Uint8Array(0),
    };
    return {
      id,
      name,
      credential: undefined,
      publish: unsupported,
      publishAs: unsupported,
      withdraw: unsupported,
      withdrawAs: unsupported,
      async *watchThings() {},
      addThings: () => ({ remove: () => {} }),
      emitPropertyChange: () => {},
      emitEvent: () => {},
      thingGone: () => {},
      async *discover(query) {
        if (query.kind === 'peer' && id === HOME) yield advertisement;
      },
      async *watch() {},
      listen: () => ({ close: () => {} }),
      connect: unsupported,
      serve: () => ({ close: () => {} }),
      requester: unsupported,
      expose: unsupported,
      async *things(filter) {
        for (const thing of things) if (filter?.title === undefined || filter.title === thing.title) yield thing;
      },
      consume,
      async *members() {
        if (id === HOME) yield advertisement;
      },
    };
  }

  #consume(thing: ThingSummary | string): ConsumedThing {
    if (typeof thing === 'string') throw new PipevineError('unsupported', 'not here');
    const record = (call: string) => this.calls.push(`${thing.title}: ${call}`);
    const observe = (signal: AbortSignal | undefined) => this.#observe(signal);
    return {
      summary: thing,
      readProperty: async (name) => {
        record(`read ${name}`);
        if (name === 'mode') throw new PipevineError('timeout', 'the device did not answer');
        return { value: 21.5, timestampMs: AT_MS };
      },
      writeProperty: async (name, value) => {
        record(`write ${name} ${JSON.stringify(value)}`);
      },
      invokeAction: async (name, input) => {
        record(`invoke ${name} ${JSON.stringify(input)}`);
        return input === undefined ? undefined : { blinked: input };
      },
      observeProperty: (_name, options) => observe(options?.signal),
      subscribeEvent: (_name, options) => observe(options?.signal),
      close: async () => {
        record('close');
      },
    };
  }

  async *#observe(signal: AbortSignal | undefined): AsyncGenerator<ObservationNotice> {
    try {
      yield* this.notices;
      if (signal?.aborted !== true) await new Promise((resolve) => signal?.addEventListener('abort', resolve));
    } finally {
      this.endedObservations++;
    }
  }
}
