import { randomBytes, randomInt } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { BoardsError } from '../boards-error.ts';
import { encodeBoardSetup } from '../setup/board-setup.ts';
import { BLOCK_BYTES, flashImage } from './flash-image.ts';
import type { FlashSource } from './flash-source.ts';
import type { FlashTarget } from './flash-target.ts';
import type { FlashProgress } from './progress-meter.ts';
import { planSetup } from './setup-plan.ts';
import { decodeMark } from './unfinished-mark.ts';

const BEGAN = new Date('2026-11-21T20:00:00Z');

/** A card in memory, which can be made to fail. */
class MemoryCard implements FlashTarget {
  readonly path = '/dev/sdz';
  readonly isDirect = true;
  readonly capacityBytes: number | undefined;
  readonly content: Buffer;
  readonly writes: number[] = [];
  onWrite: (offset: number) => void = () => {};
  /** After the write at an offset. */
  onWritten: (offset: number) => void = () => {};

  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes;
    this.content = Buffer.alloc(capacityBytes, 0xee);
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    this.onWrite(offset);
    this.writes.push(offset);
    this.content.set(bytes, offset);
    this.onWritten(offset);
  }

  async read(offset: number, bytes: Uint8Array): Promise<void> {
    bytes.set(this.content.subarray(offset, offset + bytes.length));
  }

  async sync(): Promise<void> {}
  async setLength(): Promise<void> {}
  async close(): Promise<void> {}
}

function sourceOf(image: Uint8Array, leastBytes = 0): FlashSource {
  return {
    path: '/tmp/pi.img',
    name: 'pi.img',
    compression: 'none',
    fileBytes: image.length,
    imageBytes: image.length,
    leastBytes,
    chunks: () => ({
      readBytes: 0,
      async *[Symbol.asyncIterator]() {
        for (let at = 0; at < image.length; at += 1_000_000) yield image.slice(at, at + 1_000_000);
      },
    }),
  };
}

const IMAGE = randomBytes(2 * BLOCK_BYTES + 5_000);

async function run(card: MemoryCard, image: Uint8Array = IMAGE, onProgress?: (progress: FlashProgress) => void) {
  let now = 0;
  return flashImage({
    source: sourceOf(image),
    target: card,
    signal: new AbortController().signal,
    now: () => now++,
    began: BEGAN,
    ...(onProgress && { onProgress }),
  });
}

const isUnfinished = (card: MemoryCard) => decodeMark(card.content) !== undefined;

describe('flashing', () => {
  it('puts the image on the card, its first block last', async () => {
    const card = new MemoryCard(3 * BLOCK_BYTES);
    expect(await run(card)).toMatchObject({ bytes: IMAGE.length });
    expect(card.content.subarray(0, IMAGE.length).equals(IMAGE)).toBe(true);
    expect(card.writes).toEqual([0, BLOCK_BYTES, 2 * BLOCK_BYTES, 0]);
    expect(card.content.subarray(IMAGE.length + 4_096).every((byte) => byte === 0xee)).toBe(true);
  });

  it.each([512, 4_096, BLOCK_BYTES, BLOCK_BYTES + 512])('fills a card of %d bytes to the last one', async (bytes) => {
    const card = new MemoryCard(bytes);
    await run(card, IMAGE.subarray(0, bytes));
    expect(card.content.equals(IMAGE.subarray(0, bytes))).toBe(true);
  });

  it('tells how far it is, each phase to its end', async () => {
    const seen: FlashProgress[] = [];
    await run(new MemoryCard(3 * BLOCK_BYTES), IMAGE, (progress) => seen.push(progress));
    for (const phase of ['writing', 'verifying'] as const) {
      const of = seen.filter((progress) => progress.phase === phase);
      expect(of.at(-1)).toMatchObject({ fraction: 1 });
      expect(of.map(({ bytes }) => bytes)).toEqual([...of.map(({ bytes }) => bytes)].sort((a, b) => a - b));
    }
  });

  it('sets the board up on the way', async () => {
    const image = Buffer.from(IMAGE);
    image.set(encodeBoardSetup({}), BLOCK_BYTES - 1_024); // over the end of a block
    const source = sourceOf(image);
    const plan = await planSetup(source.chunks(), { hostname: 'kitchen' }, new AbortController().signal);
    const card = new MemoryCard(3 * BLOCK_BYTES);
    const signal = new AbortController().signal;
    await flashImage({ source, target: card, plan, signal, now: () => 0, began: BEGAN });
    image.set(encodeBoardSetup({ hostname: 'kitchen' }), BLOCK_BYTES - 1_024);
    expect(card.content.subarray(0, image.length).equals(image)).toBe(true);
  });
});

describe('a wrong byte', () => {
  it('is found wherever it is, and the card stays marked', async () => {
    for (let round = 0; round < 25; round++) {
      const card = new MemoryCard(3 * BLOCK_BYTES);
      const at = randomInt(IMAGE.length);
      await expect(
        run(card, IMAGE, ({ phase, bytes }) => {
          if (phase === 'verifying' && bytes === 0) card.content[at] = (card.content[at] ?? 0) ^ (1 << randomInt(8));
        }),
        `byte ${at}`,
      ).rejects.toThrow(`1 of 3 blocks read back differently, the first one at byte ${at - (at % BLOCK_BYTES)}`);
      if (at >= 4_096) expect(isUnfinished(card)).toBe(true);
    }
  });

  it('in the first block, when that takes the place of the mark, brings the mark back', async () => {
    const card = new MemoryCard(3 * BLOCK_BYTES);
    card.onWritten = (offset) => {
      const isLast = card.writes.length === 4;
      if (offset === 0 && isLast) card.content[100] = (card.content[100] ?? 0) ^ 1;
    };
    await expect(run(card)).rejects.toThrow('cannot be used; flash it again');
    expect(isUnfinished(card)).toBe(true);
  });
});

describe('a card that is not finished', () => {
  const failing = new BoardsError('environment', 'writing /dev/sdz failed at byte 8388608: the drive is gone');

  it('is marked as such when it fails, and the message says so', async () => {
    const card = new MemoryCard(3 * BLOCK_BYTES);
    card.onWrite = (offset) => {
      if (offset === 2 * BLOCK_BYTES) throw failing;
    };
    await expect(run(card)).rejects.toThrow(`${failing.message}. /dev/sdz is not finished and cannot be used`);
    expect(decodeMark(card.content)).toEqual({ image: 'pi.img', began: BEGAN.toISOString() });
  });

  it('is marked when an image turns out too large, or ends in the middle', async () => {
    const card = new MemoryCard(2 * BLOCK_BYTES);
    await expect(run(card)).rejects.toThrow('take a larger card. /dev/sdz is not finished');
    expect(isUnfinished(card)).toBe(true);
  });

  it.each(['writing', 'verifying'])('is marked when it is stopped while %s', async (phase) => {
    const card = new MemoryCard(3 * BLOCK_BYTES);
    const end = new AbortController();
    const flashing = flashImage({
      source: sourceOf(IMAGE),
      target: card,
      signal: end.signal,
      now: () => 0,
      began: BEGAN,
      onProgress: (progress) => {
        if (progress.phase === phase && progress.bytes > 0) end.abort();
      },
    });
    await expect(flashing).rejects.toThrow('flashing was stopped. /dev/sdz is not finished and cannot be used');
    expect(isUnfinished(card)).toBe(true);
  });
});

it('leaves a card alone that is known to be too small, and one for which the image cannot be read', async () => {
  const card = new MemoryCard(BLOCK_BYTES);
  const init = { target: card, signal: new AbortController().signal, now: () => 0, began: BEGAN };
  await expect(flashImage({ ...init, source: sourceOf(IMAGE, IMAGE.length) })).rejects.toThrow('take a larger card');
  const damaged: FlashSource = {
    ...sourceOf(IMAGE),
    chunks: () => ({
      readBytes: 0,
      // biome-ignore lint/correctness/useYield: it fails before it has anything
      async *[Symbol.asyncIterator]() {
        throw new BoardsError('environment', 'the image is damaged');
      },
    }),
  };
  await expect(flashImage({ ...init, source: damaged })).rejects.toThrow('the image is damaged. Nothing was written');
  expect(card.writes).toEqual([]);
});
