import {
  MemoryNetwork,
  type MemoryProcess,
  type NetworkConditions,
  nodeCrypto,
  seededRandom,
  VirtualClock,
} from '@pipevine/transports';
import type { EndpointLimitsInit } from '../../endpoint/endpoint-defaults.ts';
import { EndpointService } from '../../endpoint/endpoint-service.ts';
import type { PipevineError } from '../../error/pipevine-error.ts';
import type { GroupDirectory } from '../../group/group-access.ts';
import { type GroupId, WORLD_GROUP } from '../../id/group-id.ts';
import { type Identity, identityFromSeed } from '../../id/identity.ts';
import type { PeerId } from '../../id/peer-id.ts';
import type { Clock } from '../../platform/clock.ts';
import type { BindForwarder } from '../bind-forwarder.ts';
import type { Pipe, PipeKind } from '../pipe.ts';
import type { PipeLimitsInit } from '../pipe-defaults.ts';
import { type HostedPeers, Pipes } from '../pipes.ts';

/** A peer of the tests: an endpoint and its pipes in one process of the memory network. */
export interface TestPeer {
  readonly name: string;
  readonly identity: Identity;
  readonly process: MemoryProcess;
  readonly endpoint: EndpointService;
  readonly pipes: Pipes;
  /** What handlers threw. */
  readonly errors: unknown[];
}

export interface TestPeerInit {
  readonly scheme?: 'mem' | 'memd';
  readonly groups?: GroupDirectory;
  readonly hosted?: HostedPeers;
  /** Makes it a relay. */
  readonly forwarder?: (clock: Clock) => BindForwarder;
  readonly pipeLimits?: PipeLimitsInit;
  readonly endpointLimits?: EndpointLimitsInit;
  /** A process of a peer that ran before. */
  readonly identity?: Identity;
}

/** Only the world group is known. */
export const WORLD_ONLY: GroupDirectory = {
  access: (group: GroupId) =>
    group === WORLD_GROUP ? { group, credentialOf: () => new Uint8Array(0), verify: () => undefined } : undefined,
};

/** Peers on a memory network in virtual time; all that is random comes from the seed. */
export class Overlay {
  readonly clock = new VirtualClock();
  readonly network: MemoryNetwork;
  readonly addresses = new Map<PeerId, string[]>();
  readonly hosts = new Map<PeerId, PeerId>();
  /** At which relays a peer says that it leases. */
  readonly relays = new Map<PeerId, PeerId[]>();
  readonly #seed: number | string;

  constructor(seed: number | string = 1, conditions: Partial<NetworkConditions> = {}) {
    this.#seed = seed;
    this.network = new MemoryNetwork({ clock: this.clock, seed, conditions });
  }

  identity(name: string): Identity {
    return identityFromSeed(nodeCrypto, seededRandom(`${this.#seed} identity ${name}`).bytes(32));
  }

  /** Starts a peer on the host of that name; it listens where the others will look for it. */
  async peer(name: string, init: TestPeerInit = {}): Promise<TestPeer> {
    const process = this.network.boot(name);
    const identity = init.identity ?? this.identity(name);
    const random = seededRandom(`${this.#seed} ${name} ${this.clock.monotonicMs()}`);
    const endpoint = new EndpointService({
      identity,
      clock: process.clock,
      random,
      crypto: nodeCrypto,
      transports: process.transports,
      routes: { addressesOf: (peer) => this.addresses.get(peer) ?? [] },
      ...(init.endpointLimits === undefined ? {} : { limits: init.endpointLimits }),
    });
    const errors: unknown[] = [];
    const pipes = new Pipes({
      endpoint,
      routes: { hostOf: (peer) => this.hosts.get(peer) },
      relays: { relaysOf: (peer) => this.relays.get(peer) ?? [] },
      ...(init.forwarder === undefined ? {} : { forwarder: init.forwarder(process.clock) }),
      groups: init.groups ?? WORLD_ONLY,
      identity,
      clock: process.clock,
      random,
      crypto: nodeCrypto,
      onError: (error) => errors.push(error),
      ...(init.hosted === undefined ? {} : { hosted: init.hosted }),
      ...(init.pipeLimits === undefined ? {} : { limits: init.pipeLimits }),
    });
    const address = `${init.scheme ?? 'mem'}://${name}:1`;
    await this.clock.run(endpoint.listen(address));
    this.addresses.set(identity.id, [address]);
    return { name, identity, process, endpoint, pipes, errors };
  }
}

/** The code with which a promise rejects. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'none',
    (error: PipevineError) => error.code ?? String(error),
  );
}

/** Four bytes that tell messages apart. */
export function numbered(number: number, length = 4): Uint8Array {
  const bytes = new Uint8Array(length);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

export function numberOf(message: Uint8Array): number {
  return new DataView(message.buffer, message.byteOffset).getUint32(0);
}

/** Binds a pipe from `a` to `b`, or to a peer that `b` hosts. */
export async function bindPair(
  overlay: Overlay,
  a: TestPeer,
  b: TestPeer,
  kind: PipeKind,
  target: Identity = b.identity,
): Promise<[binder: Pipe, acceptor: Pipe]> {
  const name = `test ${pairs++}`;
  const scope = target === b.identity ? 'own' : 'hosted';
  const accepted = new Promise<Pipe>((resolve) => {
    const listener = b.pipes.listen({ group: WORLD_GROUP, name, scope }, (pipe) => {
      listener.close();
      resolve(pipe);
    });
  });
  const init = { peer: target.id, group: WORLD_GROUP, name, kind, timeoutMs: 120_000 };
  const bound = await overlay.clock.run(a.pipes.connect(init));
  return [bound, await overlay.clock.run(accepted)];
}

let pairs = 0;

/** Cuts all connections of a peer, as a router that restarts does. */
export function cutLinks(peer: TestPeer): void {
  for (const stream of [...peer.process.streams]) stream.abort();
}
