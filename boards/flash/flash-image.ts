import { BoardsError } from '../boards-error.ts';
import { alignedBlocks } from './aligned-blocks.ts';
import { alignedMemory } from './aligned-memory.ts';
import { checkRoom } from './drive-rules.ts';
import type { FlashSource } from './flash-source.ts';
import { type FlashTarget, writableLength } from './flash-target.ts';
import { type FlashPhase, type FlashProgress, ProgressMeter } from './progress-meter.ts';
import { applySetup, type SetupPlan } from './setup-plan.ts';
import { encodeMark } from './unfinished-mark.ts';

/** Of a write: cards are fastest with whole erase blocks, which have up to 4 MiB. */
export const BLOCK_BYTES = 4 * 1_024 * 1_024;

/** The file of an image may be read to its end while blocks of it are still to be written. */
const NEARLY_DONE = 0.999;

export interface FlashInit {
  readonly source: FlashSource;
  readonly target: FlashTarget;
  readonly plan?: SetupPlan | undefined;
  readonly signal: AbortSignal;
  /** Monotonic, in milliseconds. */
  readonly now: () => number;
  /** For the mark of an unfinished card. */
  readonly began: Date;
  readonly onProgress?: (progress: FlashProgress) => void;
}

export interface FlashResult {
  /** Of the image. */
  readonly bytes: number;
  /** Until all was on the medium. */
  readonly writeMs: number;
  readonly verifyMs: number;
}

/**
 * Writes an image, reads it back and compares each byte with the image, which is read a second time for that: digests would
 * cost a fast target half of its rate, and prove less. Until all of it is right, a mark stands where the
 * first block belongs, so that an unfinished card cannot be booted and is known as such; the first block comes last. Throws
 * BoardsErrors that say whether the card can still be used.
 */
export async function flashImage(init: FlashInit): Promise<FlashResult> {
  const { source, target } = init;
  checkRoom(target.path, target.capacityBytes, source.leastBytes);
  const flashing = new Flashing(init);
  try {
    return await flashing.run();
  } catch (error) {
    const { code, message } = error instanceof BoardsError ? error : new BoardsError('environment', String(error));
    const state = flashing.hasBegun
      ? `${target.path} is not finished and cannot be used; flash it again`
      : 'Nothing was written';
    throw new BoardsError(code, `${message}. ${state}`, { cause: error });
  }
}

class Flashing {
  hasBegun = false;
  readonly #init: FlashInit;
  readonly #memories = [alignedMemory(BLOCK_BYTES), alignedMemory(BLOCK_BYTES)] as const;
  readonly #first = alignedMemory(BLOCK_BYTES);
  readonly #readBack = [alignedMemory(BLOCK_BYTES), alignedMemory(BLOCK_BYTES)] as const;

  constructor(init: FlashInit) {
    this.#init = init;
  }

  async run(): Promise<FlashResult> {
    const { target, now } = this.#init;
    const startMs = now();
    const { bytes, firstLength } = await this.#writeAll();
    await target.sync();
    const writtenMs = now();
    await this.#verifyAll(bytes);
    await this.#finish(firstLength);
    await target.setLength(bytes);
    return { bytes, writeMs: Math.round(writtenMs - startMs), verifyMs: Math.round(now() - writtenMs) };
  }

  async #writeAll(): Promise<{ bytes: number; firstLength: number }> {
    const { source, target } = this.#init;
    const chunks = source.chunks();
    const report = this.#reporter('writing');
    let bytes = 0;
    let firstLength = 0;
    let readBytes = 0;
    let writing: Promise<void> | undefined;
    try {
      for await (const block of alignedBlocks(this.#image(chunks), this.#memories)) {
        await writing;
        report(bytes, Math.min(readBytes / source.fileBytes, NEARLY_DONE), source.imageBytes);
        readBytes = chunks.readBytes;
        this.#checkSignal();
        const offset = block.index * BLOCK_BYTES;
        checkRoom(target.path, target.capacityBytes, offset + block.bytes);
        const content = block.padded.subarray(0, writableLength(target, offset, block.bytes));
        if (block.index === 0) {
          this.#first.set(content);
          firstLength = content.length;
          this.#mark(content);
          this.hasBegun = true;
        }
        bytes = offset + block.bytes;
        writing = target.write(offset, content);
        writing.catch(() => {}); // it is awaited when the next block is full
        if (block.index === 0) await writing; // the card is marked before anything else of it changes
      }
    } finally {
      await writing;
    }
    if (bytes === 0) throw new BoardsError('usage', `the image ${source.path} is empty`);
    report(bytes, 1, bytes);
    return { bytes, firstLength };
  }

  async #verifyAll(bytes: number): Promise<void> {
    const { target } = this.#init;
    const report = this.#reporter('verifying');
    const wrong: number[] = [];
    const read = (index: number) => {
      const offset = index * BLOCK_BYTES;
      const length = writableLength(target, offset, Math.min(BLOCK_BYTES, Math.max(bytes - offset, 0)));
      const content = this.#readBack[index % 2 === 0 ? 0 : 1].subarray(0, length);
      const reading = length === 0 ? Promise.resolve() : target.read(offset, content);
      reading.catch(() => {}); // it is awaited when the image has come as far
      return { content, reading };
    };
    report(0, 0, bytes);
    let next = read(0);
    let done = 0;
    try {
      for await (const block of alignedBlocks(this.#image(this.#init.source.chunks()), this.#memories)) {
        this.#checkSignal();
        const { content, reading } = next;
        await reading;
        next = read(block.index + 1); // while this one is compared, and the next one of the image is made
        const expected = block.padded.subarray(0, content.length);
        if (block.index === 0) this.#mark(expected);
        done = block.index * BLOCK_BYTES + block.bytes;
        if (!equal(content, expected)) wrong.push(block.index * BLOCK_BYTES);
        report(done, Math.min(done / bytes, 1), bytes);
      }
    } finally {
      await next.reading.catch(() => {});
    }
    if (done !== bytes) throw new BoardsError('refused', 'the image has changed while it was flashed');
    if (wrong.length > 0) throw wrongBytes(target.path, wrong, Math.ceil(bytes / BLOCK_BYTES));
  }

  /** Puts the true first block in the place of the mark; where that fails, the mark comes back. */
  async #finish(length: number): Promise<void> {
    const { target } = this.#init;
    this.#checkSignal();
    const first = this.#first.subarray(0, length);
    const readBack = this.#readBack[0].subarray(0, length);
    try {
      await target.write(0, first);
      await target.sync();
      await target.read(0, readBack);
      if (!equal(readBack, first)) throw wrongBytes(target.path, [0], 1);
    } catch (error) {
      this.#mark(readBack);
      await target.write(0, readBack).catch(() => {});
      throw error;
    }
  }

  #image(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    const { plan } = this.#init;
    return plan === undefined ? chunks : applySetup(chunks, plan);
  }

  /** Makes a block that says that the card is not finished. */
  #mark(block: Uint8Array): void {
    const mark = encodeMark({ image: this.#init.source.name, began: this.#init.began.toISOString() });
    block.fill(0);
    block.set(mark.subarray(0, block.length));
  }

  #checkSignal(): void {
    if (this.#init.signal.aborted) throw new BoardsError('environment', 'flashing was stopped');
  }

  #reporter(phase: FlashPhase): (bytes: number, fraction: number, totalBytes: number | undefined) => void {
    const meter = new ProgressMeter(phase, this.#init.now);
    return (...progress) => this.#init.onProgress?.(meter.at(...progress));
  }
}

function wrongBytes(path: string, offsets: readonly number[], blocks: number): BoardsError {
  const where = `${offsets.length} of ${blocks} blocks read back differently, the first one at byte ${offsets[0]}`;
  return new BoardsError(
    'environment',
    `${path} does not hold what was written: ${where}; the card or its reader is bad`,
  );
}

function equal(first: Uint8Array, second: Uint8Array): boolean {
  return Buffer.compare(first, second) === 0;
}
