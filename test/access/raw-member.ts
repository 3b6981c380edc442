import { type GroupId, type Identity, identityFromSeed, type PeerId, PipevineError } from '@pipevine/runtime';
import { type MemoryNetwork, type MemoryProcess, nodeCrypto, seededRandom } from '@pipevine/transports';
import { EndpointService } from '../../runtime/endpoint/endpoint-service.ts';
import type { Credential } from '../../runtime/group/group-access.ts';
import type { RequestPipe } from '../../runtime/pipe/pipe.ts';
import { Pipes } from '../../runtime/pipe/pipes.ts';

export interface RawMemberInit {
  readonly network: MemoryNetwork;
  readonly name: string;
  readonly identity: Identity;
  readonly group: GroupId;
  /** What it shows; empty for nothing. */
  readonly credential: Uint8Array;
  readonly target: { readonly peer: PeerId; readonly address: string };
}

/** The identity of a machine, the same each time. */
export function identityOf(name: string): Identity {
  return identityFromSeed(nodeCrypto, seedOf(name));
}

export function seedOf(name: string): Uint8Array {
  return seededRandom(`seed of ${name}`).bytes(32);
}

/**
 * A peer that keeps no rule of its own: it shows the credential that it was given, believes whatever others show, and asks
 * what it is told to. Only links and pipes are real. So what it is refused, the other side has refused.
 */
export class RawMember {
  readonly identity: Identity;
  readonly credential: Uint8Array;
  readonly group: GroupId;
  readonly process: MemoryProcess;
  readonly #target: PeerId;
  readonly #pipes: Pipes;

  constructor(init: RawMemberInit) {
    const { network, name, identity, group, credential, target } = init;
    this.identity = identity;
    this.credential = credential;
    this.group = group;
    this.#target = target.peer;
    this.process = network.boot(name);
    const common = { identity, clock: this.process.clock, crypto: nodeCrypto, random: seededRandom(`raw ${name}`) };
    const endpoint = new EndpointService({
      ...common,
      transports: this.process.transports,
      routes: { addressesOf: (peer) => (peer === target.peer ? [target.address] : []) },
    });
    const access = {
      group,
      credentialOf: () => credential,
      verify: (subject: PeerId) => anyCredential(group, subject),
    };
    this.#pipes = new Pipes({
      ...common,
      endpoint,
      routes: { hostOf: () => undefined },
      groups: { access: (asked) => (asked === group ? access : undefined) },
    });
  }

  get peer(): PeerId {
    return this.identity.id;
  }

  /** Binds a request pipe of this name to the target. */
  open(service: string): Promise<RequestPipe> {
    return this.#pipes.requester({ peer: this.#target, group: this.group, name: service });
  }

  /** One request, one answer. */
  async request(service: string, body: Uint8Array): Promise<Uint8Array> {
    const pipe = await this.open(service);
    try {
      return await pipe.request(body);
    } finally {
      await pipe.close();
    }
  }

  /** The first item of what is answered, then no more of it; undefined when it ends without one. */
  async first(service: string, body: Uint8Array): Promise<Uint8Array | undefined> {
    const pipe = await this.open(service);
    try {
      for await (const item of pipe.stream(body)) return item;
      return undefined;
    } finally {
      await pipe.close();
    }
  }
}

/** What became of an attempt: `served`, or the error that the asker saw. */
export async function outcomeOf(attempt: Promise<unknown>): Promise<'served' | PipevineError> {
  try {
    await attempt;
    return 'served';
  } catch (error) {
    if (error instanceof PipevineError) return error;
    throw error;
  }
}

function anyCredential(group: GroupId, subject: PeerId): Credential {
  const grant = { roles: ['member'], capabilities: [], version: 0, serial: 'x', encoded: new Uint8Array(0) };
  return { group, subject, ...grant, notBeforeMs: 0, notAfterMs: Number.MAX_SAFE_INTEGER };
}
