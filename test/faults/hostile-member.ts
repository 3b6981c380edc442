import {
  type GroupId,
  groupIdToBytes,
  type Identity,
  type PeerId,
  PipevineError,
  peerIdToBytes,
} from '@pipevine/runtime';
import { type CborInput, encodeCanonical } from '@pipevine/runtime/protocol';
import {
  type MemoryNetwork,
  type MemoryProcess,
  nodeCrypto,
  type SeededRandom,
  seededRandom,
} from '@pipevine/transports';
import { signCose } from '../../runtime/advertisement/cose-sign1.ts';
import { EndpointService } from '../../runtime/endpoint/endpoint-service.ts';
import type { Credential } from '../../runtime/group/group-access.ts';
import type { RequestPipe } from '../../runtime/pipe/pipe.ts';
import { Pipes } from '../../runtime/pipe/pipes.ts';
import { decodeRequest } from '../../runtime/resolver/resolver-codec.ts';

export interface HostileMemberInit {
  readonly network: MemoryNetwork;
  readonly name: string;
  readonly identity: Identity;
  readonly group: GroupId;
  /** What it shows; empty for nothing. */
  readonly credential: Uint8Array;
}

/** What it answers to a query for one handler of the resolver. */
export type HostileAnswer = (body: Uint8Array, asker: PeerId) => Promise<Uint8Array> | AsyncIterable<Uint8Array>;

/**
 * A peer that keeps no rule of its own: it shows the credential that it was given, believes whatever others show, asks and
 * answers what it is told to, in the bytes of docs/protocol. Only its links and pipes are real.
 */
export class HostileMember {
  readonly identity: Identity;
  readonly credential: Uint8Array;
  readonly group: GroupId;
  readonly process: MemoryProcess;
  readonly random: SeededRandom;
  /** By the name of the handler; what has none is not found. */
  readonly answers = new Map<string, HostileAnswer>();
  readonly #endpoint: EndpointService;
  readonly #pipes: Pipes;

  constructor({ network, name, identity, group, credential }: HostileMemberInit) {
    this.identity = identity;
    this.credential = credential;
    this.group = group;
    this.process = network.boot(name);
    this.random = seededRandom(`hostile ${name}`);
    const common = { identity, clock: this.process.clock, crypto: nodeCrypto, random: this.random };
    this.#endpoint = new EndpointService({
      ...common,
      transports: this.process.transports,
      routes: { addressesOf: () => [] },
    });
    const access = {
      group,
      credentialOf: () => credential,
      verify: (subject: PeerId) => anyCredential(group, subject),
    };
    this.#pipes = new Pipes({
      ...common,
      endpoint: this.#endpoint,
      routes: { hostOf: () => undefined },
      groups: { access: (asked) => (asked === group ? access : undefined) },
    });
    this.#pipes.serve({ group, name: 'resolver', kinds: ['request'] }, (body, { remotePeer }) =>
      this.#answer(body, remotePeer),
    );
  }

  get peer(): PeerId {
    return this.identity.id;
  }

  /** Links to whoever answers at an address. */
  async link(address: string): Promise<void> {
    await this.#endpoint.dial(address);
  }

  /** Binds a request pipe of this name to a peer that it is linked to. */
  open(peer: PeerId, service: string): Promise<RequestPipe> {
    return this.#pipes.requester({ peer, group: this.group, name: service });
  }

  /** One query of the resolver, one answer. */
  ask(peer: PeerId, handler: string, body: Uint8Array): Promise<Uint8Array> {
    return this.send(peer, directed(handler, body));
  }

  /** One request of any kind to a resolver, one answer. */
  async send(peer: PeerId, request: Uint8Array): Promise<Uint8Array> {
    const pipe = await this.open(peer, 'resolver');
    try {
      return await pipe.request(request);
    } finally {
      await pipe.close();
    }
  }

  /** A lease at a rendezvous, and then these advertisements: what a client pushes. */
  async push(peer: PeerId, encoded: readonly Uint8Array[]): Promise<void> {
    await this.ask(peer, 'rendezvous', map([1, 0], [3, 600_000]));
    await this.ask(peer, 'rendezvous', map([1, 2], [4, encoded]));
  }

  /** A propagated message of its own, as a request to a resolver; `changes` replace members of its payload. */
  propagated(handler: string, isQuery: boolean, ...changes: readonly (readonly [number, CborInput])[]): Uint8Array {
    const payload = map(
      [1, this.random.bytes(16)],
      [2, groupIdToBytes(this.group)],
      [3, handler],
      [4, isQuery],
      [5, isQuery ? 500 : 0],
      [6, this.process.clock.wallMs()],
      [7, this.credential],
      [8, new Uint8Array(0)],
      ...changes,
    );
    return this.passedOn(signCose(this.identity.signing, 'pipevine/1 propagated', payload));
  }

  /** A message of anybody, as if it had come by way of this member. */
  passedOn(signed: Uint8Array, origin: PeerId = this.peer): Uint8Array {
    const path = origin === this.peer ? [origin] : [origin, this.peer];
    return encodeCanonical([1, 3, path.map(peerIdToBytes), signed]);
  }

  #answer(bytes: Uint8Array, asker: PeerId): Promise<Uint8Array> | AsyncIterable<Uint8Array> {
    const request = decodeRequest(bytes);
    const answer = request.type === 'directed' ? this.answers.get(request.handler) : undefined;
    if (answer === undefined || request.type !== 'directed') throw new PipevineError('not-found', 'Nothing to say.');
    return answer(request.body, asker);
  }
}

/** A directed query, as docs/protocol/resolver.cddl has it. */
export function directed(handler: string, body: Uint8Array): Uint8Array {
  return encodeCanonical([0, handler, body]);
}

/** A map with integer keys. */
export function map(...members: readonly (readonly [number, CborInput])[]): Uint8Array {
  return encodeCanonical(new Map(members));
}

function anyCredential(group: GroupId, subject: PeerId): Credential {
  const grant = { roles: ['member'], capabilities: [], version: 0, serial: 'x', encoded: new Uint8Array(0) };
  return { group, subject, ...grant, notBeforeMs: 0, notAfterMs: Number.MAX_SAFE_INTEGER };
}
