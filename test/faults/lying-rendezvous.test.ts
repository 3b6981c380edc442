import { groupIdFromBytes, peerIdToBytes } from '@pipevine/runtime';
import { type CborInput, encodeCanonical } from '@pipevine/runtime/protocol';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeRequest } from '../../runtime/rendezvous/rendezvous-codec.ts';
import { groupOf } from '../simulator/household.ts';
import { addressOf, discovered } from '../simulator/overlay.ts';
import type { Machine } from '../simulator/simulation.ts';
import { Home, identityOf, MINUTE } from './home.ts';
import { type HostileMember, map } from './hostile-member.ts';
import { introduction, madeAdvertisement } from './made-advertisement.ts';

const NOTHING = new Uint8Array(0);
const EDGES = 5;
let home: Home;

/** A group with two honest rendezvous and one that lies; the edges know all three. */
interface Scene {
  readonly edges: readonly Machine[];
  readonly liar: HostileMember;
  /** Those that hold their lease at the liar. */
  readonly deceived: readonly Machine[];
  readonly others: readonly Machine[];
}

const advertisements = (...encoded: readonly Uint8Array[]) => encodeCanonical([0, encoded]);
const end = encodeCanonical([1, true]);

async function scene(lie: (liar: HostileMember) => AsyncIterable<Uint8Array>): Promise<Scene> {
  home = await Home.make('liar');
  const { clock, gateway } = home;
  const second = await home.administrator('second');
  const edges: Machine[] = [];
  for (let i = 0; i < EDGES; i++) edges.push(await home.edge(`edge-${i}`, undefined, ['gateway', 'second']));
  const liar = home.raw('liar', await home.credential('liar', ['gateway']));
  liar.answers.set('rendezvous', async (body) => pretend(liar, body));
  liar.answers.set('group', silence);
  liar.answers.set('discovery', () => lie(liar));
  for (const machine of [gateway, second, ...edges]) await clock.run(liar.link(addressOf(machine.name)));
  await clock.runFor(5_000);
  // Whoever loses its rendezvous takes another of those that it knows.
  for (const machine of [gateway, second]) {
    machine.crash();
    await clock.runFor(5_000);
    await clock.run(machine.start());
    await clock.runFor(MINUTE);
  }
  const atLiar = (edge: Machine) => groupOf(edge).rendezvous().lease?.rendezvous === liar.peer;
  return { edges, liar, deceived: edges.filter(atLiar), others: edges.filter((edge) => !atLiar(edge)) };
}

/** Grants every lease, swallows all that is pushed, and shows itself to the other rendezvous. */
function pretend(liar: HostileMember, body: Uint8Array): Uint8Array {
  const known: CborInput = [[peerIdToBytes(liar.peer), []]];
  switch (decodeRequest(body).type) {
    case 'lease':
      return map([2, new Uint8Array(8).fill(1)], [3, 600_000], [5, known]);
    case 'peerview':
      return map([5, known]);
    default:
      return map();
  }
}

async function* silence(): AsyncGenerator<Uint8Array> {
  yield NOTHING;
  await new Promise<never>(() => undefined);
}

afterEach(async () => {
  inventions.length = 0;
  await home.simulation.finish();
});

/** What strangers publish: made once, as a liar that is to be cheap would. */
const inventions: Uint8Array[] = [];
const invention = (n: number): Uint8Array => {
  const at = n % 64;
  const fields = { key: `${at}`, name: `item of stranger ${at}` };
  inventions[at] ??= madeAdvertisement(identityOf('stranger'), home.id, home.clock.wallMs(), fields).encoded;
  return inventions[at];
};

type Lie = (liar: HostileMember) => AsyncIterable<Uint8Array>;

/** Nobody can tell that they are lies. */
const PLAUSIBLE: Readonly<Record<string, Lie>> = {
  'says that there is nothing': async function* () {
    yield end;
  },
  'never answers': async function* () {
    await new Promise<never>(() => undefined);
  },
  'invents what strangers publish': async function* (liar) {
    const stranger = identityOf('stranger');
    yield advertisements(introduction(stranger, home.id, 1, liar.credential).encoded, invention(1), invention(2));
    yield end;
  },
  'answers twice': async function* () {
    for (let i = 0; i < 2; i++) {
      yield advertisements(invention(1), invention(1));
      yield end;
    }
  },
  'never stops answering': async function* () {
    const many = advertisements(...Array.from({ length: 64 }, (_, n) => invention(n)));
    for (;;) yield many;
  },
};

/** Whoever gets them sees what they are. */
const OBVIOUS: Readonly<Record<string, Lie>> = {
  'forges what members publish': async function* () {
    const { encoded } = madeAdvertisement(home.gateway.peer.identity, home.id, home.clock.wallMs(), {
      name: 'item of gateway',
    });
    yield advertisements(encoded.map((byte, i) => (i === encoded.length - 1 ? byte ^ 1 : byte)));
    yield end;
  },
  'answers with what is of another group': async function* () {
    const elsewhere = identityOf('elsewhere');
    const group = groupIdFromBytes(elsewhere.signing.publicKey);
    yield advertisements(madeAdvertisement(elsewhere, group, 1, { name: 'item of elsewhere' }).encoded);
    yield end;
  },
  'answers with nonsense': async function* () {
    yield NOTHING;
  },
};

/** Each asker finds what each owner published, and nothing that nobody here did. */
async function expectTruth(
  askers: readonly Machine[],
  owners: readonly Machine[],
  all: readonly Machine[],
): Promise<void> {
  for (const asker of askers) {
    for (const owner of owners) {
      const found = await home.clock.run(discovered(asker, { kind: 'content', name: `item of ${owner.name}` }));
      expect(found.map(({ publisher }) => publisher)).toEqual([owner.peer.id]);
    }
    const found = await home.clock.run(discovered(asker, { kind: 'content' }));
    const publishers = new Set(found.map(({ publisher }) => publisher));
    for (const { peer } of owners) expect(publishers.has(peer.id)).toBe(true);
    for (const publisher of publishers) expect(all.some(({ peer }) => peer.id === publisher)).toBe(true);
  }
}

describe('a rendezvous', { timeout: 60_000 }, () => {
  it.each(Object.entries(PLAUSIBLE))('that %s hides nothing and is believed nothing', async (_, lie) => {
    const { edges, deceived, others } = await scene(lie);
    expect(deceived.length, 'edges that hold their lease at the liar').toBeGreaterThan(0);
    await expectTruth(deceived, others, edges);
  });

  it.each(Object.entries(OBVIOUS))('that %s loses its clients, and is believed nothing', async (_, lie) => {
    const { edges, deceived, others } = await scene(lie);
    expect(deceived).toEqual([]);
    const counted = edges.map((edge) => home.dropped('advertisements forged', edge));
    expect(Math.min(...counted)).toBeGreaterThan(0);
    await expectTruth(others, others, edges);
  });

  it('that ends what it is to keep up is asked less and less often', async () => {
    let asked = 0;
    const { edges, liar } = await scene(PLAUSIBLE['says that there is nothing'] ?? expect.fail());
    const counting = (answer: Uint8Array) =>
      async function* () {
        asked++;
        yield answer;
      };
    liar.answers.set('discovery', counting(end));
    liar.answers.set('group', counting(NOTHING));
    await home.clock.runFor(10 * MINUTE);
    const askers = edges.length + 2;
    expect(asked).toBeGreaterThan(askers);
    expect(asked / askers, 'by each of the others in ten minutes').toBeLessThan(80);
  });
});
