import {
  type Advertisement,
  type Applicant,
  type ConsumedThing,
  type CreateGroupInit,
  type FoundGroup,
  type GroupMember,
  groupIdFromBytes,
  identityFromSeed,
  type JoinResult,
  type JsonValue,
  type MembershipPolicy,
  type ObservationNotice,
  type PathReport,
  type Peer,
  type PeerGroup,
  type PeerId,
  type PeerInfo,
  PipevineError,
  peerIdFromBytes,
  type ThingDescription,
  type ThingSummary,
  WORLD_GROUP,
} from '@pipevine/runtime';
import { nodeCrypto } from '@pipevine/transports';
import { FakeMailbox } from './fake-mailbox.ts';

const AT_MS = Date.UTC(2026, 10, 21, 8);

const idOf = (byte: number) => peerIdFromBytes(new Uint8Array(32).fill(byte));
const groupId = (byte: number) => groupIdFromBytes(new Uint8Array(32).fill(byte));
const HOME = groupId(9);

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
  /** What is told of paths: first these, one after another, then the last. */
  paths: PathReport[] = [];
  path: PathReport = {
    peer: idOf(7),
    name: 'attic',
    host: undefined,
    summary: {
      state: 'direct',
      via: [idOf(7)],
      text: 'direct over tcp, dialled at tcp://192.168.1.9:7473',
      advice: undefined,
    },
    link: {
      peer: idOf(7),
      transport: 'tcp',
      address: 'tcp://192.168.1.9:7473',
      rttMs: 1.25,
      bytesIn: 10,
      bytesOut: 20,
      dialled: true,
    },
    groups: [{ id: HOME, name: 'home of cellar' }],
    pipes: [],
    relays: [],
    addresses: [{ address: 'tcp://192.168.1.9:7473', source: 'advertised' }],
    attempts: [],
    punch: undefined,
  };
  /** What comes of binding a pipe. */
  connectError = new PipevineError('not-found', 'Nobody listens under that name there.');
  readonly mailbox = new FakeMailbox(idOf(8));
  queues: Record<string, { used: number; limit: number; dropped: number }> = {
    links: { used: 1, limit: 256, dropped: 0 },
  };
  applications: { group: FoundGroup['id']; name: string; since: number }[] = [];
  /** What is nearby. Joining one of policy `approval` or `quorum` gives an application. */
  found: FoundGroup[] = [
    { id: groupId(20), name: 'Club', policy: 'open', administrator: idOf(20) },
    { id: groupId(21), name: 'Cinema', policy: 'password', administrator: idOf(21) },
    { id: groupId(22), name: 'Friends', policy: 'approval', administrator: idOf(22) },
    { id: groupId(23), name: 'Office', policy: 'code', administrator: idOf(23) },
  ];
  applicants: Applicant[] = [];
  memberList: GroupMember[] = [
    { peer: idOf(1), name: 'cellar', roles: ['administrator'], capabilities: [], online: true, revoked: false },
    {
      peer: idOf(7),
      name: 'attic',
      roles: ['member'],
      capabilities: ['name:attic*'],
      serial: 'q7attic',
      notAfterMs: AT_MS,
      online: true,
      revoked: false,
    },
    {
      peer: idOf(8),
      name: 'thief',
      roles: ['guest'],
      capabilities: [],
      serial: 'q8thief',
      online: false,
      revoked: true,
    },
  ];
  info: PeerInfo = {
    name: 'attic',
    version: '0.1.0',
    roles: ['edge'],
    uptimeMs: 3_600_000,
    bytesIn: 20_000,
    bytesOut: 900,
    memoryBytes: 40_000_000,
    linkCount: 1,
    groups: [HOME],
    links: [{ peer: idOf(1), transport: 'tcp', address: 'tcp://192.168.1.5:7473', rttMs: 1.5 }],
  };

  constructor(titles: readonly string[] = ['Hall lamp', 'Heater', 'Heater']) {
    const things = titles.map((title, index) => this.#summary(title, index + 2));
    this.groups = [this.#group(WORLD_GROUP, 'world', []), this.#group(HOME, 'home of cellar', things)];
  }

  group(id: string): PeerGroup | undefined {
    return this.groups.find((group) => group.id === id);
  }

  async createGroup({ name, policy = { type: 'code' }, ...rest }: CreateGroupInit): Promise<PeerGroup> {
    this.calls.push(`create ${name} ${JSON.stringify({ policy, ...rest })}`);
    const group = this.#group(groupId(30 + this.groups.length), name, [], policy, rest.listed);
    this.groups.push(group);
    return group;
  }

  async invite(
    _group: string,
    options?: { readonly lifetimeMs?: number; readonly uses?: number; readonly roles?: readonly string[] },
  ): Promise<string> {
    const roles = options?.roles === undefined ? '' : ` ${options.roles.join(' ')}`;
    this.calls.push(`invite ${options?.lifetimeMs} ${options?.uses}${roles}`);
    return 'BCODE';
  }

  async join(code: string): Promise<PeerGroup> {
    this.calls.push(`join ${code}`);
    const group = this.group(HOME);
    if (!code.startsWith('BCODE') || group === undefined)
      throw new PipevineError('expired', 'the code has run out; ask for another');
    return group;
  }

  async *findGroups(options?: { readonly addresses?: readonly string[] }): AsyncGenerator<FoundGroup> {
    this.calls.push(`find ${options?.addresses?.join(' ') ?? ''}`.trimEnd());
    yield* this.found;
    yield* this.found;
  }

  async joinGroup(id: FoundGroup['id'], options?: { readonly password?: string }): Promise<JoinResult> {
    const found = this.found.find((each) => each.id === id);
    this.calls.push(`join ${found?.name ?? id} ${options?.password ?? ''}`.trimEnd());
    if (found?.policy === 'password' && options?.password !== 'sesame') {
      throw new PipevineError('refused', 'that is not the password');
    }
    if (found?.policy === 'approval') {
      this.applications.push({ group: id, name: found.name, since: AT_MS });
      return { state: 'pending', have: 0, needed: 1 };
    }
    const group = this.#group(id, found?.name ?? 'unlisted', []);
    this.groups.push(group);
    return { state: 'joined', group };
  }

  async resign(group: string, options?: { readonly end?: boolean }): Promise<void> {
    this.calls.push(`resign ${group === HOME ? 'home' : group} ${options?.end}`);
  }

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
      queues: this.queues,
    };
  }

  explain(peer: PeerId): PathReport {
    this.calls.push(`explain ${peer === idOf(7) ? 'attic' : peer}`);
    return this.paths.shift() ?? this.path;
  }

  async close(): Promise<void> {}

  #summary(title: string, byte: number): ThingSummary {
    const peer = idOf(byte);
    const id = `urn:pipevine:thing:${peer.slice(peer.lastIndexOf(':') + 1)}:device`;
    const description = describe(id, title);
    return { id, title, peer, host: this.id, group: HOME, connector: 'mqtt', availability: 'up', description };
  }

  #group(
    id: FoundGroup['id'],
    name: string,
    things: readonly ThingSummary[],
    policy: MembershipPolicy = { type: 'code' },
    listed = false,
  ): PeerGroup {
    const record = async (call: string) => {
      this.calls.push(`${name}: ${call}`);
    };
    const decided = (serial: string, decision: string) => {
      this.applicants = this.applicants.filter((each) => each.serial !== serial);
      return record(`${decision} ${serial}`);
    };
    const nameOf = (peer: PeerId) => this.memberList.find((member) => member.peer === peer)?.name;
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
      policy,
      listed,
      credential: {
        group: id,
        subject: this.id,
        roles: ['guest'],
        capabilities: ['name:cellar*'],
        notBeforeMs: AT_MS,
        notAfterMs: AT_MS,
        serial: 'qown',
        version: 0,
        encoded: new Uint8Array(0),
      },
      applicants: () => (id === HOME ? this.applicants : []),
      approve: (serial) => decided(serial, 'approve'),
      reject: (serial) => decided(serial, 'reject'),
      memberList: async () => this.memberList,
      grant: (peer, grant) => record(`grant ${nameOf(peer)} ${JSON.stringify(grant)}`),
      revoke: (peer) => record(`revoke ${nameOf(peer)}`),
      setPassword: (password) => record(`password ${password}`),
      peerInfo: async (peer) => {
        await record(`info ${peer === idOf(7) ? 'attic' : peer}`);
        return this.info;
      },
      mailbox: this.mailbox,
      relays: () => ({ serving: true, leases: [], clients: 0 }),
      rendezvous: () => ({
        group: id,
        serving: false,
        lease: { rendezvous: idOf(7), remainingMs: 90_000 },
        clients: 0,
        peerview: [idOf(7), idOf(8)],
      }),
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
      connect: async ({ peer }) => {
        await record(`connect ${peer === idOf(7) ? 'attic' : peer}`);
        throw this.connectError;
      },
      handle: () => ({ close: () => {} }),
      async *query() {},
      propagate: async () => 0,
      serve: () => ({ close: () => {} }),
      requester: unsupported,
      namedPipes: {
        listen: unsupported,
        serve: unsupported,
        propagate: unsupported,
        async *find() {},
        open: unsupported,
      },
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
