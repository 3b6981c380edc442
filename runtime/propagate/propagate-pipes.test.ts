import { nodeCrypto } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { encodeEpochContent } from '../group/epoch-content.ts';
import { codeOf } from '../pipe/testing/overlay.ts';
import { decodeEnvelope, encodeEnvelope, encodeEpochRequest } from './propagate-codec.ts';
import { MAX_MESSAGE_BYTES } from './propagate-defaults.ts';
import { bytes, listen, type Member, PropagateNetwork } from './testing/propagate-network.ts';

/** home - a - b - c in a row. */
async function row() {
  const network = await PropagateNetwork.make();
  const { home, clock } = network;
  const a = await network.member('a');
  const b = await network.member('b');
  const c = await network.member('c');
  await network.link([home, a], [a, b], [b, c]);
  return { network, clock, home, a, b, c };
}

const dropped = ({ propagate }: Member, counter: string) => propagate.status()[counter]?.dropped;

describe('a propagate pipe', () => {
  it('brings a message to every member that has opened it, once, with who sent it, and to no other pipe', async () => {
    const { network, clock, home, a, b, c } = await row();
    const hearing = [home, b, c].map((member) => listen(network, member));
    const other = listen(network, b, 'other');
    const { pipe, heard } = listen(network, a);
    expect(await clock.run(pipe.send(bytes('hello')))).toBe(2);
    await clock.runFor(1_000);
    for (const one of hearing) expect(one.heard).toEqual(['a: hello']);
    expect(heard).toEqual([]);
    expect(other.heard).toEqual([]);
  });

  it('reaches another pipe of the name in the same process, which may be the only one', async () => {
    const network = await PropagateNetwork.make();
    const first = listen(network, network.home);
    const second = listen(network, network.home);
    expect(await network.clock.run(first.pipe.send(bytes('echo')))).toBe(0);
    await network.clock.runFor(10);
    expect([first.heard, second.heard]).toEqual([[], ['home: echo']]);
  });

  it('carries up to 256 KiB whole, and refuses more by the limit', async () => {
    const { clock, a, c } = await row();
    const got: Uint8Array[] = [];
    c.propagate.open('news').receive((message) => void got.push(message.bytes));
    const pipe = a.propagate.open('news');
    const large = Uint8Array.from({ length: MAX_MESSAGE_BYTES }, (_, i) => i * 7);
    await clock.run(pipe.send(large));
    await clock.runFor(1_000);
    expect(got.map((one) => nodeCrypto.sha256(one))).toEqual([nodeCrypto.sha256(large)]);
    const error = await pipe.send(new Uint8Array(MAX_MESSAGE_BYTES + 1)).catch((reason: Error) => reason);
    expect(error).toMatchObject({ code: 'too-large', message: expect.stringContaining(`${MAX_MESSAGE_BYTES}`) });
  });

  it('makes a fast sender wait rather than lose messages', async () => {
    const { network, clock, a, c } = await row();
    const { heard } = listen(network, c);
    const pipe = a.propagate.open('news');
    const numbers = Array.from({ length: 40 }, (_, i) => `${i}`);
    await clock.run(Promise.all(numbers.map((number) => pipe.send(bytes(number)))));
    await clock.runFor(1_000);
    expect(heard).toEqual(numbers.map((number) => `a: ${number}`));
  });

  it('drops what a slow reader cannot take, and counts it', async () => {
    const { clock, a, c } = await row();
    const pipe = c.propagate.open('news');
    const fast = c.propagate.open('news');
    let heard = 0;
    pipe.receive(() => new Promise(() => {}));
    fast.receive(() => void heard++);
    const sending = a.propagate.open('news');
    for (let i = 0; i < 70; i++) await clock.run(sending.send(bytes('x')));
    await clock.runFor(1_000);
    expect(heard).toBe(70);
    expect(pipe.dropped).toBe(5);
  });

  it('is closed for good when it is closed', async () => {
    const { network, clock, a, b } = await row();
    const { pipe, heard } = listen(network, b);
    const sending = a.propagate.open('news');
    await clock.run(sending.send(bytes('one')));
    await clock.runFor(100);
    pipe.close();
    pipe.close();
    await clock.run(sending.send(bytes('two')));
    await clock.runFor(1_000);
    expect(heard).toEqual(['a: one']);
    expect(await codeOf(pipe.send(bytes('x')))).toBe('closed');
  });
});

describe('the rights of a group', () => {
  it('let a guest listen and not send', async () => {
    const { network, clock, a } = await row();
    const d = await network.member('d', ['guest']);
    await network.link([a, d]);
    const { heard, pipe } = listen(network, d);
    await clock.run(a.propagate.open('news').send(bytes('hello')));
    await clock.runFor(1_000);
    expect(heard).toEqual(['a: hello']);
    expect(await codeOf(pipe.send(bytes('x')))).toBe('refused');
  });

  it('let nobody but administrators make a key', async () => {
    const { network, clock, a, home } = await row();
    home.crash();
    await clock.runFor(2_000);
    expect(await codeOf(clock.run(a.propagate.open('news').send(bytes('x'), { timeoutMs: 5_000 })))).toBe(
      'unreachable',
    );
    const init = { type: 'epoch', key: '', content: new Uint8Array(1), lifetimeMs: 1_000 } as const;
    expect(await codeOf(clock.run(a.groups.publish(network.group, init)))).toBe('refused');
  });
});

describe('epochs', () => {
  it('are not made for a group that has no use for them', async () => {
    const { network, clock, home, c } = await row();
    await network.revoke(c);
    await clock.runFor(20_000);
    expect(home.propagate.epoch).toBe(0);
    expect(home.groups.statements(network.group).map(({ type }) => type)).toEqual(['charter', 'revocations']);
  });

  it('change with a revocation, and who was revoked gets no key any more, from anybody', async () => {
    const { network, clock, home, a, b } = await row();
    const thief = await network.member('thief');
    await network.link([b, thief]);
    const members = [home, a, b].map((member) => listen(network, member));
    const { heard } = listen(network, thief);
    const [, fromA] = members;
    await clock.run(fromA?.pipe.send(bytes('before')) ?? expect.fail());
    await clock.runFor(1_000);
    expect(heard).toEqual(['a: before']);
    const neighbour = thief.resolver.neighbour(b.identity.id) ?? expect.fail();
    await network.revoke(thief);
    await clock.runFor(2_000);
    expect([home, a, b].map(({ propagate }) => propagate.epoch)).toEqual([2, 2, 2]);
    await clock.run(fromA?.pipe.send(bytes('after')) ?? expect.fail());
    const request = encodeEpochRequest({ staticKey: thief.identity.agreement.publicKey, holdersOnly: false });
    expect(await codeOf(clock.run(neighbour.request('epoch', request)))).not.toBe('none');
    await clock.runFor(2_000);
    expect(heard).toEqual(['a: before']);
    expect(members.map((one) => one.heard.at(-1))).toEqual(['a: after', undefined, 'a: after']);
    expect(thief.propagate.status()['epoch keys']?.used).toBe(1);
  });

  it('are not given away by who has heard of the new key, and not yet of the revocation before it', async () => {
    const { network, clock, home, b } = await row();
    const { group } = network;
    const d = await network.member('d');
    const thief = await network.member('thief');
    listen(network, home);
    await clock.runFor(1_000);
    await network.revoke(thief);
    await clock.runFor(2_000);
    const stated = (type: string) => home.groups.statements(group).find((one) => one.type === type) ?? expect.fail();
    await clock.run(d.groups.receive(group, stated('epoch').encoded));
    const keys = [...home.storage.scan('epoch-key')].map(([key, value]) => ({ table: 'epoch-key', key, value }));
    await clock.run(d.storage.commit(keys));
    d.crash();
    const holder = await network.restart(d);
    expect(holder.propagate.status()['epoch keys']?.used).toBe(2);
    const ask = async (member: Member) => {
      const staticKey = member.identity.agreement.publicKey;
      const neighbour = await clock.run(member.resolver.connect(holder.identity.id));
      return codeOf(clock.run(neighbour.request('epoch', encodeEpochRequest({ staticKey, holdersOnly: true }))));
    };
    // The thief first: whoever comes with a link to the others brings the revocation along. It gets the old key at most.
    const neighbour = await clock.run(thief.resolver.connect(holder.identity.id));
    const current = { number: 2, issuer: home.identity.id };
    const wanting = { staticKey: thief.identity.agreement.publicKey, wanted: current, holdersOnly: true };
    expect(await codeOf(clock.run(neighbour.request('epoch', encodeEpochRequest(wanting))))).toBe('not-found');
    await clock.run(holder.groups.receive(group, stated('revocations').encoded));
    expect(await ask(b)).toBe('none');
  });

  it('of an administrator that had not heard of a revocation are followed by another', async () => {
    const network = await PropagateNetwork.make();
    const { clock, home, group } = network;
    const second = await network.member('second', ['member', 'administrator']);
    const thief = await network.member('thief');
    home.propagate.open('news');
    await clock.runFor(100);
    await network.revoke(thief);
    await clock.runFor(2_000);
    expect(home.propagate.epoch).toBe(2);
    const keyHash = nodeCrypto.sha256(new Uint8Array(32));
    const content = encodeEpochContent({ number: 9, keyHash, fromMs: clock.wallMs(), after: new Map() });
    await clock.run(second.groups.publish(group, { type: 'epoch', key: '', content, lifetimeMs: 86_400_000 }));
    await network.link([home, second]);
    await clock.runFor(15_000);
    expect([home.propagate.epoch, second.propagate.epoch]).toEqual([10, 10]);
  });

  it('are a week old at most', async () => {
    const { clock, home } = await PropagateNetwork.make();
    home.propagate.open('news');
    await clock.runFor(6 * 86_400_000);
    expect(home.propagate.epoch).toBe(1);
    await clock.runFor(1.2 * 86_400_000);
    expect(home.propagate.epoch).toBe(2);
  });

  it('of two administrators at once come to one, the same for all', async () => {
    const { network, clock, home, a, c } = await row();
    const second = await network.member('second', ['member', 'administrator']);
    const all = [home, a, second, c];
    // Far apart, each makes the first.
    await clock.run(home.propagate.open('x').send(bytes('1')));
    await clock.run(second.propagate.open('x').send(bytes('1')));
    expect([home.propagate.epoch, second.propagate.epoch]).toEqual([1, 1]);
    await network.link([second, c]);
    await clock.runFor(2_000);
    const hearing = all.map((member) => listen(network, member));
    await clock.runFor(2_000);
    for (const [index, { pipe }] of hearing.entries()) await clock.run(pipe.send(bytes(`${index}`), { ttlHops: 4 }));
    await clock.runFor(2_000);
    for (const [index, { heard }] of hearing.entries()) {
      expect(heard.map((line) => line.at(-1)).sort()).toEqual(['0', '1', '2', '3'].filter((one) => one !== `${index}`));
    }
    expect(new Set(all.map(({ propagate }) => propagate.epoch)).size).toBe(1);
  });

  it('survive the restart of all who hold the key, without an administrator', async () => {
    const { network, clock, home, a, b, c } = await row();
    for (const member of [home, a, b, c]) listen(network, member);
    await clock.run(a.propagate.open('news').send(bytes('x')));
    await clock.runFor(1_000);
    for (const member of [home, a, b, c]) member.crash();
    const again = await network.restart(a);
    const other = await network.restart(b);
    const { pipe } = listen(network, again);
    const { heard } = listen(network, other);
    await network.link([again, other]);
    await clock.run(pipe.send(bytes('again')));
    await clock.runFor(1_000);
    expect(heard).toEqual(['a: again']);
  });

  it('that came before their key let messages wait for it', async () => {
    const { network, clock, home, a, c } = await row();
    await clock.run(home.propagate.open('news').send(bytes('first')));
    // c opens as the message is under way, and has no key yet.
    const sending = a.propagate.open('news').send(bytes('second'));
    const { heard } = listen(network, c);
    await clock.run(sending);
    await clock.runFor(2_000);
    expect(heard).toEqual(['home: first', 'a: second']);
  });
});

describe('hostile members', () => {
  it('cannot pass what another has sealed for their own', async () => {
    const { network, clock, home, a, b } = await row();
    const { heard } = listen(network, home);
    const sealed: Uint8Array[] = [];
    const original = a.resolver.propagate.bind(a.resolver);
    a.resolver.propagate = (handler, body, options) => {
      if (handler === 'propagate') sealed.push(body);
      return original(handler, body, options);
    };
    await clock.run(a.propagate.open('news').send(bytes('mine')));
    await clock.runFor(1_000);
    await clock.run(b.resolver.propagate('propagate', sealed[0] ?? expect.fail()));
    await clock.runFor(1_000);
    expect(heard).toEqual(['a: mine']);
    expect(dropped(home, 'propagate messages malformed')).toBe(1);
  });

  it('harm nobody with what is malformed or of unknown keys: it is counted, and what is held has a bound', async () => {
    const { network, clock, home, a, b } = await row();
    const { heard } = listen(network, home);
    const { pipe } = listen(network, a);
    await clock.run(pipe.send(bytes('x')));
    const envelope = { number: 9, keyId: new Uint8Array(8), nonce: new Uint8Array(12), sealed: new Uint8Array(40) };
    await clock.run(b.resolver.propagate('propagate', new Uint8Array([1, 2, 3])));
    for (let i = 0; i < 12; i++) await clock.run(b.resolver.propagate('propagate', encodeEnvelope(envelope)));
    await clock.run(pipe.send(bytes('y')));
    await clock.runFor(500);
    expect(heard).toEqual(['a: x', 'a: y']);
    expect(dropped(home, 'propagate messages malformed')).toBe(1);
    expect(home.propagate.status()['propagate messages without key']).toMatchObject({ used: 8, dropped: 4 });
    expect(decodeEnvelope(encodeEnvelope(envelope))).toEqual(envelope);
  });

  it('are answered a bounded number of keys', async () => {
    const { clock, a, home } = await row();
    await clock.run(home.propagate.open('news').send(bytes('x')));
    const neighbour = a.resolver.neighbour(home.identity.id) ?? expect.fail();
    const request = encodeEpochRequest({ staticKey: a.identity.agreement.publicKey, holdersOnly: true });
    const codes: string[] = [];
    for (let i = 0; i < 20; i++) codes.push(await codeOf(clock.run(neighbour.request('epoch', request))));
    expect(codes.filter((code) => code === 'none')).toHaveLength(16);
    expect(codes.at(-1)).toBe('overloaded');
  });
});
