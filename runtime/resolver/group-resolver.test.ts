import { describe, expect, test } from 'vitest';
import { signCose } from '../advertisement/cose-sign1.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { RequestHandler, RequestPipe } from '../pipe/pipe.ts';
import { codeOf, cutLinks } from '../pipe/testing/overlay.ts';
import type { GroupNeighbour, ResolverAnswer } from './resolver.ts';
import {
  decodeMessage,
  decodeRequest,
  encodeRequest,
  type PropagatedMessage,
  signAnswer,
  signMessage,
} from './resolver-codec.ts';
import { MAX_ANSWERS_OF_RESPONDER, MAX_QUERIES_OF_NEIGHBOUR, ORIGIN_BURST, QUERY_BURST } from './resolver-defaults.ts';
import { chainOf, type Member, ResolverNetwork } from './testing/resolver-network.ts';
import { TestGroup } from './testing/test-group.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (body: Uint8Array) => new TextDecoder().decode(body);
const echo = async (body: Uint8Array) => body;

/** All answers, as `name:text`, sorted. */
async function answersOf(network: ResolverNetwork, answers: AsyncIterable<ResolverAnswer>): Promise<string[]> {
  const collect = async () => {
    const found: string[] = [];
    for await (const { from, body } of answers) {
      const member = network.members.find(({ identity }) => identity.id === from);
      found.push(`${member?.name ?? from}:${text(body)}`);
    }
    return found.sort();
  };
  return network.clock.run(collect());
}

/** Each member answers `who` by its name and notes every `note`. */
function notesOf(members: readonly Member[]): string[] {
  const notes: string[] = [];
  for (const { name, resolver } of members) {
    resolver.handle('who', async function* () {
      yield bytes(name);
    });
    resolver.handle('note', async (body) => {
      notes.push(`${name}:${text(body)}`);
      return body;
    });
  }
  return notes;
}

/** How `a` asks `b`. */
function between(a: Member, b: Member): GroupNeighbour {
  const neighbour = a.resolver.neighbour(b.identity.id);
  if (neighbour === undefined) throw new Error(`${a.name} cannot ask ${b.name}`);
  return neighbour;
}

/** With another signature. */
function changed(signed: Uint8Array): Uint8Array {
  return signed.with(-1, (signed.at(-1) ?? 0) ^ 1);
}

let ids = 0;
function numberedId(): Uint8Array {
  const id = new Uint8Array(16);
  new DataView(id.buffer).setUint32(0, ids++);
  return id;
}

/** What a hostile member sends of its own making. */
class RawSender {
  readonly #network: ResolverNetwork;
  readonly #member: Member;
  readonly pipe: RequestPipe;

  private constructor(network: ResolverNetwork, member: Member, pipe: RequestPipe) {
    this.#network = network;
    this.#member = member;
    this.pipe = pipe;
  }

  static async to(network: ResolverNetwork, member: Member, peer: Member): Promise<RawSender> {
    const { group } = network.group;
    const init = { peer: peer.identity.id, group, name: 'resolver' };
    return new RawSender(network, member, await network.clock.run(member.pipes.requester(init)));
  }

  message(change: Partial<PropagatedMessage> = {}): PropagatedMessage {
    return {
      id: numberedId(),
      group: this.#network.group.group,
      handler: 'note',
      isQuery: false,
      timeoutMs: 0,
      issuedAtMs: this.#network.clock.wallMs(),
      credential: this.#network.group
        .directory()
        .access(this.#network.group.group)
        ?.credentialOf(this.id) as Uint8Array, // Of the test's group.
      body: bytes('raw'),
      ...change,
    };
  }

  get id(): PeerId {
    return this.#member.identity.id;
  }

  /** The code of the refusal, or `none`. */
  send(
    signed = signMessage(this.#member.identity.signing, this.message()),
    { ttlHops = 3, path = [this.id] }: { ttlHops?: number; path?: PeerId[] } = {},
  ): Promise<string> {
    const request = encodeRequest({ type: 'propagated', ttlHops, path, signed });
    return this.#network.clock.run(codeOf(this.pipe.request(request)));
  }
}

describe('a directed query', () => {
  test('gets the handler’s bytes, one answer or a sequence, and the context says who asks', async () => {
    const { network, members } = await chainOf(2);
    const [a, b] = members as [Member, Member];
    let asker: unknown;
    b.resolver.handle('echo', async (body, { remotePeer, localPeer, credential, propagated }) => {
      asker = [remotePeer, localPeer, credential.roles, propagated];
      return body;
    });
    b.resolver.handle('count', async function* () {
      for (const n of ['1', '2', '3']) yield bytes(n);
    });
    const neighbour = between(a, b);
    expect(text(await network.clock.run(neighbour.request('echo', bytes('hello'))))).toBe('hello');
    expect(asker).toEqual([a.identity.id, b.identity.id, ['member'], false]);
    const items: string[] = [];
    const read = async () => {
      for await (const item of neighbour.stream('count', bytes(''))) items.push(text(item));
    };
    await network.clock.run(read());
    expect(items).toEqual(['1', '2', '3']);
    expect(neighbour.credential.subject).toBe(b.identity.id);
  });

  test('to an unknown handler is not found, and a name is taken once', async () => {
    const { network, members } = await chainOf(2);
    const [a, b] = members as [Member, Member];
    const neighbour = between(a, b);
    expect(await network.clock.run(codeOf(neighbour.request('none', bytes(''))))).toBe('not-found');
    const handling = b.resolver.handle('echo', echo);
    expect(() => b.resolver.handle('echo', echo)).toThrow(expect.objectContaining({ code: 'busy' }));
    handling.close();
    expect(await network.clock.run(codeOf(neighbour.request('echo', bytes(''))))).toBe('not-found');
  });

  test('carries what the handler throws, and aborts it when the asker leaves', async () => {
    const { network, members } = await chainOf(2);
    const [a, b] = members as [Member, Member];
    let aborted = false;
    b.resolver.handle('no', () => {
      throw new PipevineError('refused', 'Not you.');
    });
    b.resolver.handle('forever', async function* (_, { signal }) {
      yield bytes('first');
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      aborted = true;
    });
    const neighbour = between(a, b);
    expect(await network.clock.run(codeOf(neighbour.request('no', bytes(''))))).toBe('refused');
    const leave = async () => {
      for await (const _ of neighbour.stream('forever', bytes(''))) break;
    };
    await network.clock.run(leave());
    await network.clock.runFor(1_000);
    expect(aborted).toBe(true);
    expect(b.service.status()['resolver queries']?.used).toBe(0);
  });

  test('of one that asks too much is refused, and others are answered', async () => {
    const { network, members } = await chainOf(3);
    const [a, b, c] = members as [Member, Member, Member];
    b.resolver.handle('echo', echo);
    b.resolver.handle('wait', async (body, { signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return body;
    });
    const greedy = between(a, b);
    const waiting = Array.from({ length: MAX_QUERIES_OF_NEIGHBOUR }, () => codeOf(greedy.request('wait', bytes(''))));
    expect(await network.clock.run(codeOf(greedy.request('echo', bytes(''))))).toBe('overloaded');
    const modest = between(c, b);
    expect(await network.clock.run(codeOf(modest.request('echo', bytes(''))))).toBe('none');
    await network.clock.run(Promise.all(waiting));
    await network.clock.runFor(100);
    expect(await network.clock.run(codeOf(greedy.request('echo', bytes(''))))).toBe('none');
    const codes: string[] = [];
    for (let i = 0; i < 2 * QUERY_BURST; i++) {
      codes.push(await network.clock.run(codeOf(greedy.request('echo', bytes('')))));
    }
    expect(codes).toContain('overloaded');
    expect(b.service.status()['resolver queries']?.dropped).toBeGreaterThan(1);
  });

  test('of one who was revoked, or whose membership ran out, is refused on a pipe that is still open', async () => {
    const network = new ResolverNetwork();
    const [a, b] = [await network.member('a'), await network.member('b')];
    const c = await network.member('c', { notAfterMs: network.clock.wallMs() + 60_000 });
    await network.link([a, b], [c, b]);
    b.resolver.handle('echo', echo);
    const ask = (asker: Member) => network.clock.run(codeOf(between(asker, b).request('echo', bytes(''))));
    expect([await ask(a), await ask(c)]).toEqual(['none', 'none']);
    network.group.revoked.add(a.identity.id);
    await network.clock.runFor(61_000);
    expect([await ask(a), await ask(c)]).toEqual(['revoked', 'expired']);
  });
});

describe('neighbours', () => {
  test('are told of as they open and close, and opened again when they come back', async () => {
    const { network, members } = await chainOf(2);
    const [a, b] = members as [Member, Member];
    const seen: string[] = [];
    a.resolver.subscribe({
      onOpen: ({ peer }) => seen.push(`open ${peer === b.identity.id}`),
      onClosed: ({ peer }) => seen.push(`closed ${peer === b.identity.id}`),
    });
    expect(a.met).toEqual(['a1']);
    a.resolver.distrust(b.identity.id);
    expect(a.resolver.neighbours()).toEqual([]);
    await network.clock.runFor(30_000);
    expect(seen).toEqual(['closed true']);
    await network.clock.runFor(60_000);
    expect(seen).toEqual(['closed true', 'open true']);
  });

  test('that are no members are not asked, and connecting to them says why', async () => {
    const network = new ResolverNetwork();
    const a = await network.member('a');
    const other = new TestGroup(network.clock, 'other group');
    other.admit(network.overlay.identity('stranger').id);
    const stranger = await network.overlay.peer('stranger', { groups: other.directory() });
    expect(await network.clock.run(codeOf(a.resolver.connect(stranger.identity.id)))).toMatch(/refused|not-found/);
    expect(a.resolver.neighbours()).toEqual([]);
    expect(a.met).toEqual([]);
  });

  test('that said no and then prove to be members are asked again at once', async () => {
    const network = new ResolverNetwork();
    const a = await network.member('a');
    const b = await network.member('b');
    await network.clock.run(b.service.closeGroup(network.group.group));
    a.resolver.handle('echo', echo);
    expect(await network.clock.run(codeOf(a.resolver.connect(b.identity.id)))).toBe('not-found');
    const again = b.service.openGroup(network.group.group);
    await network.clock.run(again.settled());
    await network.clock.run(again.neighbour(a.identity.id)?.request('echo', bytes('')));
    await network.clock.runFor(5_000);
    expect(a.resolver.neighbour(b.identity.id)).toBeDefined();
  });

  test('are no more than the limit, and one that was ignored takes a place that becomes free', async () => {
    const network = new ResolverNetwork();
    const hub = await network.member('hub', { maxNeighbours: 2 });
    const [a, b, c] = [await network.member('a'), await network.member('b'), await network.member('c')];
    for (const one of [a, b, c]) await network.clock.run(one.resolver.connect(hub.identity.id));
    await network.clock.runFor(1_000);
    expect(hub.met).toEqual(['a', 'b']);
    expect(hub.service.status()['resolver neighbours']).toEqual({ used: 2, limit: 2, dropped: 1 });
    await network.clock.run(a.endpoint.close());
    await network.clock.runFor(120_000);
    expect(hub.met).toEqual(['a', 'b', 'c']);
  });

  test('get nothing any more from a group that was closed', async () => {
    const { network, members } = await chainOf(2);
    const [a, b] = members as [Member, Member];
    b.resolver.handle('echo', echo);
    await network.clock.run(b.service.closeGroup(network.group.group));
    const neighbour = between(a, b);
    expect(await network.clock.run(codeOf(neighbour.request('echo', bytes(''))))).toBe('not-found');
  });
});

describe('what is propagated', () => {
  test('goes as many hops as its ttl says and no further', async () => {
    const { network, members } = await chainOf(5);
    const notes = notesOf(members);
    const [a] = members as [Member];
    expect(await network.clock.run(a.resolver.propagate('note', bytes('x'), { ttlHops: 2 }))).toBe(1);
    await network.clock.runFor(1_000);
    expect(notes.sort()).toEqual(['a1:x', 'a2:x']);
    // Nor back to where it came from.
    expect(a.service.status()['propagated messages repeated']?.dropped).toBe(0);
    expect(await answersOf(network, a.resolver.query('who', bytes(''), { ttlHops: 3 }))).toEqual([
      'a1:a1',
      'a2:a2',
      'a3:a3',
    ]);
    const tooFar = network.clock.run(codeOf(a.resolver.propagate('note', bytes('x'), { ttlHops: 9 })));
    expect(await tooFar).toBe('invalid-argument');
  });

  test('reaches each member once over a mesh full of diamonds and circles', async () => {
    const network = new ResolverNetwork();
    const members: Member[] = [];
    for (const name of ['a', 'b', 'c', 'd', 'e']) members.push(await network.member(name));
    const [a, b, c, d, e] = members as [Member, Member, Member, Member, Member];
    await network.link([a, b], [a, c], [b, c], [b, d], [c, d], [d, e], [e, a]);
    const notes = notesOf(members);
    await network.clock.run(a.resolver.propagate('note', bytes('x')));
    await network.clock.runFor(1_000);
    expect(notes.sort()).toEqual(['b:x', 'c:x', 'd:x', 'e:x']);
    expect(await answersOf(network, a.resolver.query('who', bytes('')))).toEqual(['b:b', 'c:c', 'd:d', 'e:e']);
    expect(d.service.status()['propagated messages repeated']?.dropped).toBeGreaterThan(0);
    for (const { service } of members) expect(service.status()['propagated messages forged']?.dropped).toBe(0);
  });

  test('goes to the hops that were chosen', async () => {
    const network = new ResolverNetwork();
    const members = [await network.member('a'), await network.member('b'), await network.member('c')];
    const [a, b, c] = members as [Member, Member, Member];
    await network.link([a, b], [a, c]);
    const notes = notesOf(members);
    a.resolver.setHops((all) => all.filter(({ peer }) => peer === c.identity.id));
    expect(await network.clock.run(a.resolver.propagate('note', bytes('x')))).toBe(1);
    await network.clock.runFor(1_000);
    expect(notes).toEqual(['c:x']);
  });

  test('goes to the hops that each member’s own handler chooses among these', async () => {
    const { network, members } = await chainOf(3);
    const [a, b, c] = members as [Member, Member, Member];
    const asked: string[] = [];
    for (const { name, resolver } of members) {
      const answer = async () => {
        asked.push(name);
        return bytes(name);
      };
      resolver.handle('picky', answer, { hops: (all) => all.filter(({ peer }) => peer !== c.identity.id) });
    }
    expect(await answersOf(network, a.resolver.query('picky', bytes('')))).toEqual([`${b.name}:${b.name}`]);
    expect(asked).toEqual([b.name]);
    expect(await network.clock.run(b.resolver.propagate('picky', bytes('')))).toBe(1);
  });

  test('is not passed on nor answered late: after the deadline nothing comes, and nothing is left under way', async () => {
    const { network, members } = await chainOf(3);
    const [a, b, c] = members as [Member, Member, Member];
    let aborted = 0;
    for (const [{ resolver }, delayMs] of [
      [b, 100],
      [c, 5_000],
    ] as const) {
      resolver.handle('slow', async function* (_, { signal }) {
        signal.addEventListener('abort', () => aborted++);
        await new Promise<void>((resolve) => network.clock.setTimer(delayMs, resolve));
        yield bytes('late?');
      });
    }
    const startMs = network.clock.monotonicMs();
    expect(await answersOf(network, a.resolver.query('slow', bytes(''), { timeoutMs: 1_000 }))).toEqual(['a1:late?']);
    expect(network.clock.monotonicMs() - startMs).toBeLessThan(1_001);
    await network.clock.runFor(10_000);
    expect(aborted).toBeGreaterThan(0);
    for (const { service } of members) expect(service.status()['resolver queries']?.used).toBe(0);
  });

  test('ends as soon as everybody has answered', async () => {
    const { network, members } = await chainOf(3);
    notesOf(members);
    const [a] = members as [Member];
    const startMs = network.clock.monotonicMs();
    await answersOf(network, a.resolver.query('who', bytes(''), { timeoutMs: 20_000 }));
    expect(network.clock.monotonicMs() - startMs).toBeLessThan(1_000);
  });

  test('may be answered by a sequence of no more than so many', async () => {
    const { network, members } = await chainOf(3);
    const [a, , c] = members as [Member, Member, Member];
    c.resolver.handle('many', async function* () {
      for (let i = 0; ; i++) yield bytes(`${i}`);
    });
    const answers = await answersOf(network, a.resolver.query('many', bytes('')));
    expect(new Set(answers).size).toBe(MAX_ANSWERS_OF_RESPONDER);
    expect(answers).toContain('a2:0');
  });

  test('cancels everything on the way when the asker leaves', async () => {
    const { network, members } = await chainOf(3);
    const [a, b, c] = members as [Member, Member, Member];
    let aborted = false;
    b.resolver.handle('watch', async function* () {
      yield bytes('first');
    });
    c.resolver.handle('watch', async function* (_, { signal }) {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      aborted = true;
    });
    const leave = async () => {
      for await (const _ of a.resolver.query('watch', bytes(''), { timeoutMs: 30_000 })) break;
    };
    await network.clock.run(leave());
    await network.clock.runFor(1_000);
    expect(aborted).toBe(true);
  });

  test('survives the loss of a link midway: what the others answer comes', async () => {
    const network = new ResolverNetwork();
    const members = [await network.member('a'), await network.member('b'), await network.member('c')];
    const [a, b, c] = members as [Member, Member, Member];
    await network.link([a, b], [a, c]);
    for (const { resolver, name } of members) {
      resolver.handle('slow', async function* () {
        await new Promise<void>((resolve) => network.clock.setTimer(500, resolve));
        yield bytes(name);
      });
    }
    network.clock.setTimer(200, () => {
      cutLinks(b);
      void b.endpoint.close();
    });
    expect(await answersOf(network, a.resolver.query('slow', bytes('')))).toEqual(['c:c']);
  });

  test('ends when the resolver is closed midway', async () => {
    const { network, members } = await chainOf(3);
    const [a, b, c] = members as [Member, Member, Member];
    c.resolver.handle('watch', async function* (_, { signal }) {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    });
    network.clock.setTimer(200, () => void b.service.close());
    const startMs = network.clock.monotonicMs();
    expect(await answersOf(network, a.resolver.query('watch', bytes(''), { timeoutMs: 20_000 }))).toEqual([]);
    expect(network.clock.monotonicMs() - startMs).toBeLessThan(10_000);
  });

  test('a guest may ask but not tell', async () => {
    const network = new ResolverNetwork();
    const guest = await network.member('guest', { roles: ['guest'] });
    const b = await network.member('b');
    await network.link([guest, b]);
    const notes = notesOf([b]);
    expect(await answersOf(network, guest.resolver.query('who', bytes('')))).toEqual(['b:b']);
    expect(await network.clock.run(codeOf(guest.resolver.propagate('note', bytes('x'))))).toBe('refused');
    // Nor one that does not check itself.
    const raw = await RawSender.to(network, guest, b);
    expect(await raw.send()).toBe('refused');
    expect(notes).toEqual([]);
  });

  test('of one who was revoked is not taken by those who know, though others pass it on', async () => {
    const network = new ResolverNetwork();
    const members = [
      await network.member('a', { stale: true }),
      await network.member('b', { stale: true }),
      await network.member('c'),
    ];
    const [a, b, c] = members as [Member, Member, Member];
    await network.link([a, b], [b, c]);
    const notes = notesOf(members);
    network.group.revoked.add(a.identity.id);
    await network.clock.run(a.resolver.propagate('note', bytes('x')));
    await network.clock.runFor(1_000);
    expect(notes).toEqual(['b:x']);
    // Whoever passed it on could not know.
    expect(c.resolver.neighbour(b.identity.id)).toBeDefined();
    expect(c.service.status()['propagated messages refused']?.dropped).toBe(1);
  });

  test('is limited at its origin, and a flooder harms nobody but itself', async () => {
    const network = new ResolverNetwork();
    const members = [await network.member('flooder'), await network.member('b'), await network.member('c')];
    const [flooder, b, c] = members as [Member, Member, Member];
    await network.link([flooder, b], [b, c]);
    const notes = notesOf([b, c]);
    const codes: string[] = [];
    for (let i = 0; i <= ORIGIN_BURST; i++) {
      codes.push(await network.clock.run(codeOf(flooder.resolver.propagate('none', bytes('')))));
    }
    expect(codes).toContain('overloaded');
    const raw = await RawSender.to(network, flooder, b);
    const refused: string[] = [];
    for (let i = 0; i < 3 * ORIGIN_BURST; i++) refused.push(await raw.send());
    expect(refused.filter((code) => code === 'overloaded').length).toBeGreaterThan(ORIGIN_BURST);
    notes.length = 0;
    await network.clock.run(c.resolver.propagate('note', bytes('still heard')));
    await network.clock.runFor(100);
    expect(notes).toEqual(['b:still heard']);
  });
});

describe('a message that is not what it says', () => {
  async function hostilePair() {
    const network = new ResolverNetwork();
    const members = [await network.member('mallory'), await network.member('b'), await network.member('victim')];
    const [mallory, b, victim] = members as [Member, Member, Member];
    await network.link([mallory, b], [b, victim]);
    const notes = notesOf(members);
    return { network, mallory, b, victim, notes, raw: await RawSender.to(network, mallory, b) };
  }
  const status = (member: Member, name: string) => member.service.status()[name]?.dropped;

  test('by a forged origin is dropped, and its sender left alone; the victim’s own message still counts', async () => {
    const { network, mallory, b, victim, notes, raw } = await hostilePair();
    const access = network.group.directory().access(network.group.group);
    const credential = access?.credentialOf(victim.identity.id) as Uint8Array; // Of the test's group.
    const id = new Uint8Array(16).fill(7);
    const signed = signMessage(victim.identity.signing, raw.message({ credential, id }));
    const forged = changed(signed);
    expect(await raw.send(forged, { path: [victim.identity.id, raw.id] })).toBe('forged');
    expect(status(b, 'propagated messages forged')).toBe(1);
    expect(b.resolver.neighbour(mallory.identity.id)).toBeUndefined();
    expect(await raw.send()).toBe('refused');
    const honest = await RawSender.to(network, victim, b);
    expect(await honest.send(signed)).toBe('none');
    expect(notes).toEqual(['b:raw']);
  });

  test('with the credential of another, or of another group, is refused', async () => {
    const { network, mallory, victim, notes, raw } = await hostilePair();
    const { signing } = mallory.identity;
    const access = network.group.directory().access(network.group.group);
    const ofVictim = access?.credentialOf(victim.identity.id) as Uint8Array; // Of the test's group.
    expect(await raw.send(signMessage(signing, raw.message({ credential: ofVictim })))).toBe('refused');
    const other = new TestGroup(network.clock, 'other group');
    expect(await raw.send(signMessage(signing, raw.message({ group: other.group })))).toBe('refused');
    expect(notes).toEqual([]);
  });

  test('issued long ago or in the future is refused; a replay is not taken twice', async () => {
    const { network, mallory, notes, raw } = await hostilePair();
    const { signing } = mallory.identity;
    const nowMs = network.clock.wallMs();
    for (const issuedAtMs of [nowMs - 400_000, nowMs + 400_000]) {
      expect(await raw.send(signMessage(signing, raw.message({ issuedAtMs })))).toBe('expired');
    }
    const signed = signMessage(signing, raw.message());
    expect([await raw.send(signed), await raw.send(signed)]).toEqual(['none', 'none']);
    await network.clock.runFor(1_000);
    expect(notes.sort()).toEqual(['b:raw', 'victim:raw']);
  });

  test('over an impossible path is malformed, and one that went in a circle is dropped', async () => {
    const { mallory, b, victim, notes, raw } = await hostilePair();
    const sign = () => signMessage(mallory.identity.signing, raw.message());
    expect(await raw.send(sign(), { path: [raw.id, b.identity.id, raw.id] })).toBe('none');
    expect(notes).toEqual([]);
    expect(await raw.send(sign(), { path: [victim.identity.id] })).toBe('malformed');
  });

  test('signed in another domain is forged', async () => {
    const { mallory, raw } = await hostilePair();
    const signed = signCose(mallory.identity.signing, 'pipevine/1 advertisement', new Uint8Array([0xa0]));
    expect(await raw.send(signed)).toBe('malformed');
  });
});

describe('an answer to a propagated query', () => {
  /** `a` asks; `liar`, who is a member, passes the query on to nobody and gives answers of its own making. */
  async function withLiar(answer: (liar: Member, c: Member, id: Uint8Array, group: TestGroup) => Uint8Array[]) {
    const network = new ResolverNetwork();
    const [a, c] = [await network.member('a'), await network.member('c')];
    const liar = await network.member('liar');
    const group: GroupId = network.group.group;
    await network.clock.run(liar.service.closeGroup(group));
    const handler: RequestHandler = async function* (body) {
      for (const one of answer(liar, c, queryIdOf(body), network.group)) yield one;
    };
    liar.pipes.serve({ group, name: 'resolver', kinds: ['request'] }, handler);
    await network.clock.run(a.resolver.connect(liar.identity.id));
    await network.link([a, c]);
    c.resolver.handle('who', async () => bytes('true'));
    return { network, a, liar, found: await answersOf(network, a.resolver.query('who', bytes(''))) };
  }
  const credentialOf = (group: TestGroup, peer: PeerId) =>
    group.directory().access(group.group)?.credentialOf(peer) as Uint8Array; // Of the test's group.

  test('that somebody forged in another’s name is dropped, and who sent it is left alone', async () => {
    const { a, liar, found } = await withLiar((liar, c, queryId, group) => {
      const credential = credentialOf(group, c.identity.id);
      const answer = signAnswer(c.identity.signing, { queryId, number: 0, body: bytes('false'), credential });
      return [changed(answer), signAnswer(liar.identity.signing, { queryId, number: 0, body: bytes('x'), credential })];
    });
    expect(found).toEqual(['c:true']);
    expect(a.resolver.neighbour(liar.identity.id)).toBeUndefined();
    expect(a.service.status()['propagated messages forged']?.dropped).toBe(1);
  });

  test('with another’s credential, or none, is dropped', async () => {
    const { a, found } = await withLiar((liar, c, queryId, group) => [
      signAnswer(liar.identity.signing, { queryId, number: 0, body: bytes('x'), credential: undefined }),
      signAnswer(liar.identity.signing, {
        queryId,
        number: 0,
        body: bytes('x'),
        credential: credentialOf(group, c.identity.id),
      }),
    ]);
    expect(found).toEqual(['c:true']);
    expect(a.service.status()['propagated messages refused']?.dropped).toBe(1);
  });

  test('that comes twice counts once, and one to another query not at all', async () => {
    const { found } = await withLiar((liar, _, queryId, group) => {
      const credential = credentialOf(group, liar.identity.id);
      const sign = (number: number, body: string, id = queryId) =>
        signAnswer(liar.identity.signing, { queryId: id, number, body: bytes(body), credential });
      return [sign(0, 'one'), sign(0, 'one'), sign(0, 'other'), sign(1, 'two'), sign(2, 'x', new Uint8Array(16))];
    });
    expect(found).toEqual(['c:true', 'liar:one', 'liar:two']);
  });

  test('can be sent without end to no avail', async () => {
    const { a, found } = await withLiar((liar, _, queryId, group) => {
      const credential = credentialOf(group, liar.identity.id);
      const one = signAnswer(liar.identity.signing, { queryId, number: 0, body: bytes('one'), credential });
      return Array.from({ length: 5_000 }, () => one);
    });
    expect(found).toEqual(['c:true', 'liar:one']);
    expect(a.service.status()['propagated messages refused']?.dropped).toBe(1);
  });
});

/** The id of the query in a propagated request. */
function queryIdOf(request: Uint8Array): Uint8Array {
  const decoded = decodeRequest(request);
  if (decoded.type !== 'propagated') throw new Error('not propagated');
  return decodeMessage(decoded.signed).id;
}
