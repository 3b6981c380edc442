import type { Advertisement, AdvertisementInit, AdvertisementQuery } from '../advertisement/advertisement.ts';
import type { AdvertisementChange, Discovery } from '../discovery/discovery.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { Credential } from '../group/group-access.ts';
import type { GroupMembership, Groups } from '../group/groups.ts';
import type { MembershipPolicy } from '../group/membership-policy.ts';
import { type GroupId, shortGroupId } from '../id/group-id.ts';
import type { Identity } from '../id/identity.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Mailbox } from '../mailbox/mailbox.ts';
import type { Applicant } from '../membership/application-desk.ts';
import type { LedgerEntry } from '../membership/member-ledger.ts';
import type { PeerInfo } from '../peerinfo/peer-info.ts';
import type { PeerInfoService } from '../peerinfo/peer-info-service.ts';
import type {
  ConnectInit,
  ListenInit,
  Pipe,
  PipeListener,
  PipeService,
  RequestHandler,
  RequestPipe,
  WaitOptions,
} from '../pipe/pipe.ts';
import { GroupPipeNames } from '../pipe-names/group-pipe-names.ts';
import type { NamedPipes } from '../pipe-names/named-pipes.ts';
import type { Clock } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import type { PropagatePipes } from '../propagate/propagate-pipes.ts';
import type { GroupRendezvous, RendezvousStatus } from '../rendezvous/rendezvous.ts';
import type { GroupResolver, PropagateOptions, ResolverAnswer, ResolverHandler } from '../resolver/resolver.ts';
import type { GroupThings } from '../thing/group-things.ts';
import type { ConsumedThing, ExposedThing, Reading, ThingFilter, ThingHandlers, ThingSummary } from '../thing/thing.ts';
import type { JsonValue, ThingInit } from '../thing/thing-description.ts';
import type { ThingProvider } from '../thing/thing-server.ts';
import type { GroupRelays } from './group-relays.ts';
import { memberList, shownCredential } from './member-list.ts';
import type { GroupMember, MemberGrant, PeerGroup, RelayStatus, ThingChange } from './peer.ts';
import type { Administrator } from './peer-part.ts';

export interface MemberGroupInit {
  readonly id: GroupId;
  readonly identity: Identity;
  readonly groups: Groups;
  readonly pipes: PipeService;
  readonly endpoint: Pick<Endpoint, 'linkTo'>;
  /** Whether a way to that peer is known: a link, addresses, or its host. */
  readonly isKnown: (peer: PeerId) => boolean;
  readonly resolver: GroupResolver;
  readonly discovery: Discovery;
  readonly things: GroupThings;
  readonly info: PeerInfoService;
  readonly rendezvous: GroupRendezvous;
  /** Absent in a peer without the part that administers. */
  readonly administrator: Administrator | undefined;
  readonly propagate: PropagatePipes;
  readonly relays: Pick<GroupRelays, 'mailbox' | 'status'>;
  readonly clock: Clock;
  readonly random: Random;
}

/** Deadline of binding a pipe, and of that the part for finding a peer that was never heard of, ms. */
const CONNECT_TIMEOUT_MS = 10_000;
const LOCATE_TIMEOUT_MS = 2_000;
/** Services of the group itself, on pipes and on the resolver. */
const RESERVED = ['resolver', 'thing', 'punch'];
const RESERVED_HANDLERS = [
  'discovery',
  'rendezvous',
  'group',
  'peerinfo',
  'propagate',
  'epoch',
  'relay',
  'mailbox',
  'mailbox-deliver',
  'punch',
  'route',
];

/** One group as a program sees it: every call goes to the service that does it, with the group filled in. */
export class MemberGroup implements PeerGroup {
  readonly id: GroupId;
  readonly #init: MemberGroupInit;
  readonly #listeners = new Set<PipeListener>();
  readonly #names: GroupPipeNames;
  #closed = false;

  constructor(init: MemberGroupInit) {
    this.id = init.id;
    this.#init = init;
    const { clock, random } = init;
    const openPropagate = (name: string) => this.#open().propagate.open(name);
    this.#names = new GroupPipeNames({ group: this, clock, random, openPropagate });
  }

  get name(): string {
    return this.#membership?.name ?? shortGroupId(this.id);
  }

  get credential(): Credential | undefined {
    return this.#membership?.credential;
  }

  get policy(): MembershipPolicy {
    return this.#membership?.policy ?? { type: 'code' };
  }

  get listed(): boolean {
    return this.#membership?.listed ?? false;
  }

  publish(init: Omit<AdvertisementInit, 'group'>): Promise<Advertisement> {
    return this.#open().discovery.publish({ ...init, group: this.id });
  }

  publishAs(identity: Identity, init: Omit<AdvertisementInit, 'group'>): Promise<Advertisement> {
    return this.#open().discovery.publish({ ...init, group: this.id }, identity);
  }

  withdraw(name: Pick<AdvertisementInit, 'kind' | 'key'>): Promise<void> {
    return this.#open().discovery.withdraw({ ...name, group: this.id });
  }

  withdrawAs(identity: Identity, name: Pick<AdvertisementInit, 'kind' | 'key'>): Promise<void> {
    return this.#open().discovery.withdraw({ ...name, group: this.id }, identity);
  }

  discover(query: Omit<AdvertisementQuery, 'group'>, options?: WaitOptions): AsyncIterable<Advertisement> {
    return this.#open().discovery.find({ ...query, group: this.id }, options);
  }

  watch(
    query: Omit<AdvertisementQuery, 'group'>,
    options?: { signal?: AbortSignal },
  ): AsyncIterable<AdvertisementChange> {
    return this.#open().discovery.watch({ ...query, group: this.id }, options);
  }

  listen(init: Omit<ListenInit, 'group'>, onPipe: (pipe: Pipe) => void): PipeListener {
    return this.#held(
      this.#open().pipes.listen({ capability: 'invoke', ...this.#named(init), group: this.id }, onPipe),
    );
  }

  connect(init: Omit<ConnectInit, 'group'>): Promise<Pipe> {
    return this.#located(init, (wait) => this.#open().pipes.connect({ ...init, ...wait, group: this.id }));
  }

  serve(init: Omit<ListenInit, 'group'>, handler: RequestHandler): PipeListener {
    return this.#held(
      this.#open().pipes.serve({ capability: 'invoke', ...this.#named(init), group: this.id }, handler),
    );
  }

  requester(init: Omit<ConnectInit, 'group' | 'kind'>): Promise<RequestPipe> {
    return this.#located(init, (wait) => this.#open().pipes.requester({ ...init, ...wait, group: this.id }));
  }

  get namedPipes(): NamedPipes {
    this.#open();
    return this.#names;
  }

  expose(thing: ThingInit, handlers: ThingHandlers): Promise<ExposedThing> {
    return this.#open().things.expose(thing, handlers);
  }

  things(filter?: ThingFilter, options?: WaitOptions): AsyncIterable<ThingSummary> {
    return this.#open().things.list(filter, options);
  }

  watchThings(options?: { readonly signal?: AbortSignal }): AsyncIterable<ThingChange> {
    return this.#thingChanges(this.watch({ kind: 'thing' }, options));
  }

  consume(thing: ThingSummary | string): Promise<ConsumedThing> {
    return this.#open().things.consume(thing);
  }

  members(options?: WaitOptions): AsyncIterable<Advertisement> {
    return this.discover({ kind: 'peer', limit: 10_000 }, options);
  }

  async memberList(options?: WaitOptions): Promise<readonly GroupMember[]> {
    const { groups, endpoint, identity, administrator } = this.#open();
    const advertisements: Advertisement[] = [];
    for await (const advertisement of this.members(options)) advertisements.push(advertisement);
    const isOnline = (peer: PeerId) => peer === identity.id || endpoint.linkTo(peer) !== undefined;
    const ledger = administrator?.ledger(this.id) ?? [];
    return memberList({ group: this.id, groups, advertisements, ledger, isOnline });
  }

  applicants(): readonly Applicant[] {
    const { administrator, groups, clock } = this.#open();
    const nowMs = clock.wallMs();
    const applications = administrator?.applications(this.id) ?? [];
    if (applications.length === 0) return applications;
    const isValid = ({ serial, version, notAfterMs }: LedgerEntry | Credential): boolean =>
      notAfterMs > nowMs && !groups.isRevoked(this.id, serial, version);
    const admitted = new Set(administrator?.ledger(this.id).flatMap((one) => (isValid(one) ? one.subject : [])));
    // Who has become a member in another way, by a code perhaps, waits no more.
    return applications.filter(({ peer }) => {
      const shown = this.#shown(peer);
      return !admitted.has(peer) && (shown === undefined || !isValid(shown));
    });
  }

  async approve(serial: string): Promise<void> {
    await this.#administrator().approve(this.id, serial);
  }

  async reject(serial: string): Promise<void> {
    await this.#administrator().reject(this.id, serial);
  }

  async grant(peer: PeerId, grant: MemberGrant): Promise<void> {
    await this.#administrator().grant(this.id, peer, grant, this.#shown(peer));
  }

  async revoke(peer: PeerId): Promise<void> {
    await this.#administrator().revoke(this.id, peer, this.#shown(peer));
  }

  async setPassword(password: string): Promise<void> {
    await this.#administrator().setPassword(this.id, password);
  }

  handle(name: string, handler: ResolverHandler): { close(): void } {
    if (RESERVED_HANDLERS.includes(name)) throw taken(name);
    return this.#held(this.#open().resolver.handle(name, handler));
  }

  query(name: string, body: Uint8Array, options?: PropagateOptions): AsyncIterable<ResolverAnswer> {
    return this.#open().resolver.query(name, body, options);
  }

  propagate(name: string, body: Uint8Array, options?: PropagateOptions): Promise<number> {
    return this.#open().resolver.propagate(name, body, options);
  }

  peerInfo(peer: PeerId, options?: WaitOptions): Promise<PeerInfo> {
    return this.#located({ ...options, peer }, (wait) => this.#open().info.ask(peer, { ...options, ...wait }));
  }

  rendezvous(): RendezvousStatus {
    return this.#init.rendezvous.status();
  }

  relays(): RelayStatus {
    return this.#init.relays.status();
  }

  get mailbox(): Mailbox {
    const { mailbox } = this.#open().relays;
    if (mailbox !== undefined) return mailbox;
    throw new PipevineError(
      'unsupported',
      'This peer was assembled without the part that sends and receives messages.',
    );
  }

  addThings(provider: ThingProvider): { remove(): void } {
    return this.#open().things.server.addProvider(provider);
  }

  emitPropertyChange(peer: PeerId, key: string, name: string, reading: Reading): void {
    this.#init.things.server.emitPropertyChange(peer, key, name, reading);
  }

  emitEvent(peer: PeerId, key: string, name: string, data: JsonValue | undefined): void {
    this.#init.things.server.emitEvent(peer, key, name, data, this.#init.clock.wallMs());
  }

  thingGone(peer: PeerId, key: string): void {
    this.#init.things.server.thingGone(peer, key);
  }

  /** The peer leaves the group or closes. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#names.close();
    for (const listener of this.#listeners) listener.close();
    this.#listeners.clear();
  }

  async *#thingChanges(changes: AsyncIterable<AdvertisementChange>): AsyncGenerator<ThingChange> {
    for await (const { change, advertisement } of changes) {
      const thing = this.#init.things.summaryOf(advertisement);
      if (thing !== undefined) yield { change, thing };
    }
  }

  #named<T extends { readonly name: string }>(init: T): T {
    if (RESERVED.includes(init.name)) throw taken(init.name);
    return init;
  }

  /** Looks for a peer of which no way is known yet, within the same deadline, then goes on. */
  async #located<T>({ peer, ...wait }: WaitOptions & { readonly peer: PeerId }, go: (wait: WaitOptions) => Promise<T>) {
    const { isKnown, discovery, clock } = this.#open();
    const { signal, timeoutMs = CONNECT_TIMEOUT_MS } = wait;
    if (isKnown(peer)) return go({});
    const startedMs = clock.monotonicMs();
    const looking = { timeoutMs: Math.min(timeoutMs, LOCATE_TIMEOUT_MS), ...(signal && { signal }) };
    for (const kind of ['peer', 'delegation'] as const) {
      if (isKnown(peer)) break;
      for await (const _ of discovery.find({ kind, group: this.id, publisher: peer, limit: 1 }, looking)) break;
    }
    return go({ timeoutMs: Math.max(1, timeoutMs - (clock.monotonicMs() - startedMs)) });
  }

  get #membership(): GroupMembership | undefined {
    return this.#init.groups.membership(this.id);
  }

  /** The credential that a member's advertisement carries; another administrator may have admitted it. */
  #shown(peer: PeerId): Credential | undefined {
    const [advertisement] = this.#init.discovery.local({ kind: 'peer', group: this.id, publisher: peer });
    return advertisement && shownCredential(this.#init.groups, advertisement);
  }

  #administrator(): Administrator {
    const { administrator } = this.#open();
    if (administrator !== undefined) return administrator;
    throw new PipevineError(
      'unsupported',
      'This peer was assembled without the part that administers groups; do it on a gateway that is an administrator.',
    );
  }

  #held(listener: PipeListener): PipeListener {
    this.#listeners.add(listener);
    return {
      close: () => {
        this.#listeners.delete(listener);
        listener.close();
      },
    };
  }

  #open(): MemberGroupInit {
    if (this.#closed) throw new PipevineError('closed', 'The peer has left the group or is closed.');
    return this.#init;
  }
}

function taken(name: string): PipevineError {
  return new PipevineError('busy', `"${name}" is a service of the group itself; choose another name.`);
}
