import { MemoryNetwork, nodeCrypto, seededRandom, VirtualClock } from '@pipevine/transports';
import { EndpointService } from '../../endpoint/endpoint-service.ts';
import type { GroupId } from '../../id/group-id.ts';
import { type Identity, identityFromSeed } from '../../id/identity.ts';
import type { PeerId } from '../../id/peer-id.ts';
import type { Pipe } from '../../pipe/pipe.ts';
import { Pipes } from '../../pipe/pipes.ts';
import { RelayForwarder } from '../../relay/relay-forwarder.ts';
import type { GroupResolver } from '../../resolver/resolver.ts';
import { ResolverService } from '../../resolver/resolver-service.ts';
import { TestGroup } from '../../resolver/testing/test-group.ts';
import { PunchService } from '../punch-service.ts';
import { type NatHost, type NatKind, NatNetwork } from './nat-network.ts';

export interface PunchPeer {
  readonly name: string;
  readonly identity: Identity;
  readonly endpoint: EndpointService;
  readonly pipes: Pipes;
  readonly resolver: GroupResolver;
  readonly punch: PunchService;
  readonly host: NatHost;
}

export interface PunchPeerInit {
  readonly nat?: NatKind;
  readonly ip: string;
  /** Of its NAT. */
  readonly outside?: string;
  readonly relay?: boolean;
  /** Without it, this peer has no UDP. */
  readonly udp?: boolean;
  readonly roles?: readonly string[];
  readonly seed?: string;
}

/**
 * Members of a group behind NATs, in virtual time. Streams lead from each to the relays only; packets go where the NATs
 * let them.
 */
export class PunchWorld {
  readonly clock = new VirtualClock();
  readonly nats = new NatNetwork(this.clock);
  readonly group: TestGroup;
  readonly #streams = new MemoryNetwork({ clock: this.clock, seed: 1, conditions: { delayMs: 5 } });
  readonly #relays: PunchPeer[] = [];

  constructor() {
    this.group = new TestGroup(this.clock);
  }

  get id(): GroupId {
    return this.group.group;
  }

  /** Somebody who is nowhere. */
  stranger(number: number): PeerId {
    return identityFromSeed(nodeCrypto, seededRandom(`stranger ${number}`).bytes(32)).id;
  }

  async relay(name: string, ip: string): Promise<PunchPeer> {
    const relay = await this.#start(name, { ip, relay: true, roles: ['member', 'relay'] });
    this.#relays.push(relay);
    return relay;
  }

  /** Linked to all relays. */
  async client(name: string, init: PunchPeerInit): Promise<PunchPeer> {
    const peer = await this.#start(name, init);
    for (const relay of this.#relays) {
      await this.clock.run(peer.resolver.connect(relay.identity.id));
      peer.endpoint.want(relay.identity.id);
    }
    await this.clock.runUntil(() =>
      this.#relays.every(({ resolver }) => resolver.neighbour(peer.identity.id) !== undefined),
    );
    return peer;
  }

  /** A pipe between two clients over a relay; the binder's punch service is told. */
  async relayedPipe(from: PunchPeer, to: PunchPeer): Promise<[Pipe, Pipe]> {
    const accepted = new Promise<Pipe>((resolve) => {
      to.pipes.listen({ group: this.id, name: 'talk' }, resolve);
    });
    const pipe = await this.clock.run(from.pipes.connect({ peer: to.identity.id, group: this.id, name: 'talk' }));
    from.punch.relayed(to.identity.id, this.id);
    return [pipe, await this.clock.run(accepted)];
  }

  async #start(name: string, init: PunchPeerInit): Promise<PunchPeer> {
    const { clock } = this;
    const process = this.#streams.boot(name);
    const identity = identityFromSeed(nodeCrypto, seededRandom(init.seed ?? `punch ${name}`).bytes(32));
    this.group.admit(identity.id, init.roles);
    const groups = this.group.directory();
    const random = seededRandom(name);
    const host = this.nats.host(init.nat ?? 'none', init.ip, init.outside);
    const transports = init.udp === false ? process.transports : [...process.transports, host];
    const addressesOf = (peer: PeerId): string[] =>
      this.#relays.flatMap((relay) => (relay.identity.id === peer ? `mem://${relay.name}:1` : []));
    const common = { identity, clock, random, crypto: nodeCrypto };
    const routes = { addressesOf, hostOf: () => undefined };
    const endpoint = new EndpointService({ ...common, transports, routes });
    const forwarder = init.relay === true ? new RelayForwarder({ clock }) : undefined;
    const relays = { relaysOf: () => this.#relays.map((relay) => relay.identity.id) };
    const pipes = new Pipes({ ...common, endpoint, routes, relays, groups, ...(forwarder && { forwarder }) });
    forwarder?.open(this.id, { nextHop: ({ target }) => ({ to: target }) });
    const resolvers = new ResolverService({ ...common, endpoint, pipes, groups });
    const resolver = resolvers.openGroup(this.id);
    const punch = new PunchService({ endpoint, pipes, transports, routes, clock, random });
    punch.openGroup({ group: this.id, resolver, ...(init.relay === true && { mayServe: () => true }) });
    if (init.relay === true) await clock.run(endpoint.listen(`mem://${name}:1`));
    if (init.udp !== false) {
      const ip = init.ip.includes(':') ? `[${init.ip}]` : init.ip;
      await clock.run(endpoint.listen(`udp://${ip}:4001`));
    }
    return { name, identity, endpoint, pipes, resolver, punch, host };
  }
}
