import { FRAME_COST_BYTES } from './pipe-defaults.ts';

/** First and largest size of a chunk that holds many small payloads, in bytes. */
const MIN_CHUNK_BYTES = 1_024;
const MAX_CHUNK_BYTES = 65_536;

/**
 * Frames in a chunk: for each 32 bytes one, in the smallest for each 64. Most pipes are idle and have only that, and engines
 * keep a typed array of 64 bytes in their own heap, where it costs a tenth of a larger one.
 */
function framesOf(chunkBytes: number): number {
  return chunkBytes === MIN_CHUNK_BYTES ? 16 : chunkBytes >> 5;
}

/** Chunks of the largest size that are kept for reuse while the pipe is busy. */
const MAX_SPARE_CHUNKS = 16;

/**
 * A payload that does not fit into one frame is cut into pieces of this size: four fill a chunk, and a record, whereas
 * one as large as possible would leave a little rest that needs a record of its own.
 */
const FRAGMENT_BYTES = 16_368;

/** Consecutive frames. One object holds thousands of small ones, which is what makes keeping them cheap. */
interface Chunk {
  /** Whether the bytes are this buffer's own, to be used again; else they are one payload as it came. */
  readonly reusable: boolean;
  readonly bytes: Uint8Array;
  /** Of each frame twice where it ends in `bytes`, and 1 more where more fragments of the message follow. */
  readonly frames: Uint32Array;
  /** Sequence number of the first frame. */
  first: number;
  count: number;
  /** Cost of all frames ever queued before this chunk. */
  costBefore: number;
}

/** The frames of one direction of a pipe that are not acknowledged yet, by sequence number. */
export class SendBuffer {
  #chunks: Chunk[] = [];
  #spares: Chunk[] = [];
  #first = 0;
  #next = 0;
  #cost = 0;
  #releasedCost = 0;
  #chunkBytes = MIN_CHUNK_BYTES;
  /** The chunk that was looked at last, and its index. */
  #at = 0;

  /** Sequence number of the oldest frame that is kept. */
  get first(): number {
    return this.#first;
  }

  /** Sequence number of the frame that is queued next. */
  get next(): number {
    return this.#next;
  }

  /** Cost of all frames queued since the pipe began. */
  get totalCost(): number {
    return this.#cost;
  }

  /** Cost of the frames that are kept. */
  get keptCost(): number {
    return this.#cost - this.#releasedCost;
  }

  /** Queues a payload, copied, in frames of at most `maxFrameBytes`. */
  append(payload: Uint8Array, maxFrameBytes: number): void {
    const length = payload.length;
    if (length <= maxFrameBytes) return this.#appendFrame(payload, 0);
    const step = Math.min(maxFrameBytes, FRAGMENT_BYTES);
    for (let at = 0; at < length; at += step) {
      this.#appendFrame(payload.subarray(at, at + step), at + step < length ? 1 : 0);
    }
  }

  /** Queues a payload that nobody else changes from now on, not copied. */
  appendOwned(payload: Uint8Array, maxFrameBytes: number): void {
    const step = payload.length <= maxFrameBytes ? maxFrameBytes : Math.min(maxFrameBytes, FRAGMENT_BYTES);
    const frames = Math.max(1, Math.ceil(payload.length / step));
    const table = new Uint32Array(frames);
    for (let i = 0; i < frames - 1; i++) table[i] = 2 * (i + 1) * step + 1;
    table[frames - 1] = 2 * payload.length;
    this.#chunks.push({
      reusable: false,
      bytes: payload,
      frames: table,
      first: this.#next,
      count: frames,
      costBefore: this.#cost,
    });
    this.#next += frames;
    this.#cost += payload.length + frames * FRAME_COST_BYTES;
    // A chunk for small payloads between two large ones would be mostly empty.
    this.#chunkBytes = MIN_CHUNK_BYTES;
  }

  /** The payload of a frame that is kept. */
  payload(sequence: number): Uint8Array {
    const chunk = this.#chunkOf(sequence);
    const index = sequence - chunk.first;
    return chunk.bytes.subarray(endOf(chunk, index - 1), endOf(chunk, index));
  }

  /** Whether more fragments follow a frame that is kept. */
  more(sequence: number): boolean {
    const chunk = this.#chunkOf(sequence);
    return ((chunk.frames[sequence - chunk.first] ?? 0) & 1) === 1;
  }

  /** Cost of all frames before this one since the pipe began; the frame is kept, or the next to be queued. */
  costBefore(sequence: number): number {
    if (sequence === this.#next) return this.#cost;
    const chunk = this.#chunkOf(sequence);
    const index = sequence - chunk.first;
    return chunk.costBefore + endOf(chunk, index - 1) + index * FRAME_COST_BYTES;
  }

  /** Forgets the frames before `next`, which the other side has. */
  release(next: number): void {
    if (next <= this.#first) return;
    this.#releasedCost = this.costBefore(next);
    this.#first = next;
    let gone = 0;
    for (const chunk of this.#chunks) {
      if (chunk.first + chunk.count > next) break;
      gone++;
    }
    const last = this.#chunks[gone - 1];
    if (next === this.#next && last?.reusable === true && last.bytes.length === MIN_CHUNK_BYTES) {
      // Nothing is kept: the smallest chunk serves again.
      last.count = 0;
      last.first = this.#next;
      last.costBefore = this.#cost;
      gone--;
    }
    if (gone > 0) {
      for (const chunk of this.#chunks.splice(0, gone)) this.#keepSpare(chunk);
    }
    if (next === this.#next) {
      // An idle pipe must cost little.
      this.#spares = [];
      this.#chunkBytes = Math.max(MIN_CHUNK_BYTES, this.#chunkBytes / 2);
    }
    this.#at = 0;
  }

  /**
   * Cuts all frames that are kept anew, none larger than `maxFrameBytes`. Only while the other side has none of them: the
   * sequence numbers change their meaning.
   */
  resplit(maxFrameBytes: number): void {
    const old = this.#chunks;
    const from = this.#first;
    const to = this.#next;
    if (!old.some((chunk) => largestFrame(chunk) > maxFrameBytes)) return;
    const kept: { readonly payload: Uint8Array; readonly more: boolean }[] = [];
    for (let sequence = from; sequence < to; sequence++) {
      kept.push({ payload: this.payload(sequence), more: this.more(sequence) });
    }
    this.#chunks = [];
    this.#at = 0;
    this.#next = from;
    this.#cost = this.#releasedCost;
    for (const { payload, more } of kept) {
      this.appendOwned(payload, maxFrameBytes);
      const chunk = this.#chunks.at(-1);
      if (chunk !== undefined && more) chunk.frames[chunk.count - 1] = 2 * chunk.bytes.length + 1;
    }
  }

  #appendFrame(payload: Uint8Array, more: 0 | 1): void {
    const length = payload.length;
    const chunk = this.#chunkWithRoom(length);
    const at = endOf(chunk, chunk.count - 1);
    chunk.bytes.set(payload, at);
    chunk.frames[chunk.count++] = 2 * (at + length) + more;
    this.#next++;
    this.#cost += length + FRAME_COST_BYTES;
  }

  #keepSpare(chunk: Chunk): void {
    if (!chunk.reusable || chunk.bytes.length !== MAX_CHUNK_BYTES) return;
    if (this.#spares.length < MAX_SPARE_CHUNKS) this.#spares.push(chunk);
  }

  #chunkWithRoom(length: number): Chunk {
    const last = this.#chunks[this.#chunks.length - 1];
    if (last !== undefined && last.count < last.frames.length) {
      if (last.bytes.length - endOf(last, last.count - 1) >= length) return last;
    }
    let size = this.#chunkBytes;
    while (size < length) size *= 2;
    this.#chunkBytes = Math.min(MAX_CHUNK_BYTES, size * 2);
    const spare = size === MAX_CHUNK_BYTES ? this.#spares.pop() : undefined;
    if (spare !== undefined) {
      spare.first = this.#next;
      spare.count = 0;
      spare.costBefore = this.#cost;
      this.#chunks.push(spare);
      return spare;
    }
    const chunk: Chunk = {
      reusable: true,
      bytes: new Uint8Array(size),
      frames: new Uint32Array(framesOf(size)),
      first: this.#next,
      count: 0,
      costBefore: this.#cost,
    };
    this.#chunks.push(chunk);
    return chunk;
  }

  #chunkOf(sequence: number): Chunk {
    let chunk = this.#chunks[this.#at];
    if (chunk !== undefined && sequence >= chunk.first && sequence < chunk.first + chunk.count) return chunk;
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#chunks[middle]?.first ?? 0) <= sequence) low = middle;
      else high = middle - 1;
    }
    chunk = this.#chunks[low];
    if (chunk === undefined || sequence < chunk.first || sequence >= chunk.first + chunk.count) {
      throw new RangeError(`Frame ${sequence} is not kept: ${this.#first} to ${this.#next - 1} are.`);
    }
    this.#at = low;
    return chunk;
  }
}

function endOf({ frames }: Chunk, index: number): number {
  return index < 0 ? 0 : (frames[index] ?? 0) >>> 1;
}

function largestFrame(chunk: Chunk): number {
  let largest = 0;
  for (let i = 0; i < chunk.count; i++) largest = Math.max(largest, endOf(chunk, i) - endOf(chunk, i - 1));
  return largest;
}
