import { describe, expect, it } from 'vitest';
import { type BoardSetup, decodeBoardSetup, encodeBoardSetup, SETUP_BYTES } from '../setup/board-setup.ts';
import { applySetup, mergeSetup, planSetup } from './setup-plan.ts';

const SIGNAL = new AbortController().signal;
const BEFORE: BoardSetup = {
  hostname: 'board',
  user: 'ann',
  wifi: { ssid: 'old', password: 'old password', country: 'DE' },
};
const AT = 3 * 512;

function imageWith(...offsets: readonly number[]): Uint8Array<ArrayBuffer> {
  const image = new Uint8Array(SETUP_BYTES * 3).map((_byte, index) => (index * 7) % 251);
  for (const offset of offsets) image.set(encodeBoardSetup(BEFORE), offset);
  return image;
}

/** Copies, as the chunks of a source may be changed. */
async function* split(image: Uint8Array, ...cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  let from = 0;
  for (const cut of [...cuts, image.length]) {
    yield image.slice(from, cut);
    from = cut;
  }
}

async function joined(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk.slice());
  return Buffer.concat(all);
}

describe('the setup in the stream of an image', () => {
  const image = imageWith(AT);
  const expected = Buffer.from(image);
  expected.set(encodeBoardSetup({ ...BEFORE, hostname: 'kitchen' }), AT);

  it('is changed wherever the stream is cut, and nothing else is', async () => {
    const plan = await planSetup(split(image), { hostname: 'kitchen' }, SIGNAL);
    expect(plan.offset).toBe(AT);
    const near = (offset: number) => Array.from({ length: 80 }, (_, index) => offset - 40 + index);
    const cuts = [...near(AT), ...near(AT + 512), ...near(AT + SETUP_BYTES), 1, 511, 512, 513, image.length - 1];
    for (const cut of cuts) {
      const written = await joined(applySetup(split(image, cut), plan));
      expect([cut, written.equals(expected)]).toEqual([cut, true]);
    }
    for (const step of [500, 512, 4_096, 65_537]) {
      const many = Array.from({ length: Math.floor(image.length / step) }, (_, index) => (index + 1) * step);
      expect([step, (await joined(applySetup(split(image, ...many), plan))).equals(expected)]).toEqual([step, true]);
    }
  });

  it('is searched before anything is written: an image without one is told apart', async () => {
    await expect(planSetup(split(imageWith()), { hostname: 'a' }, SIGNAL)).rejects.toThrow('has no setup file');
    // Not where a file can begin, and not whole.
    await expect(planSetup(split(imageWith(100)), { hostname: 'a' }, SIGNAL)).rejects.toThrow('has no setup file');
    await expect(planSetup(split(image.subarray(0, AT + 5_000)), { hostname: 'a' }, SIGNAL)).rejects.toThrow(
      'has no setup file',
    );
  });

  it('is refused when there are two, or when the image changed meanwhile', async () => {
    const plan = await planSetup(split(image), { hostname: 'kitchen' }, SIGNAL);
    const two = applySetup(split(imageWith(AT, AT + SETUP_BYTES + 512)), plan);
    await expect(joined(two)).rejects.toThrow('two setup files');
    await expect(joined(applySetup(split(imageWith()), plan))).rejects.toThrow('changed while it was flashed');
  });

  it('keeps what was not given; a value that no board could use stops before anything is written', async () => {
    const plan = await planSetup(split(image), { joinCode: 'BCODE', wifi: { ssid: 'new' } }, SIGNAL);
    expect(decodeBoardSetup(plan.file)).toEqual({
      hostname: 'board',
      user: 'ann',
      joinCode: 'BCODE',
      wifi: { ssid: 'new', country: 'DE' },
    });
    await expect(planSetup(split(image), { hostname: 'no good' }, SIGNAL)).rejects.toThrow('hostname expects');
  });

  it('takes the password of one network never to another one', () => {
    expect(mergeSetup(BEFORE, { wifi: { ssid: 'open' } }).wifi).toEqual({ ssid: 'open', country: 'DE' });
    expect(mergeSetup(BEFORE, { wifi: { ssid: 'x', country: 'FR' } }).wifi).toEqual({ ssid: 'x', country: 'FR' });
    expect(mergeSetup(BEFORE, { sshKeys: ['ssh-ed25519 AAAA'] }).wifi).toEqual(BEFORE.wifi);
  });
});
