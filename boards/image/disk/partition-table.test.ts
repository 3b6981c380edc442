import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { BoardsError } from '../../boards-error.ts';
import { type ReadAt, readPartitions, SECTOR_BYTES } from './partition-table.ts';

const IMAGE_SECTORS = 1000;
const readerOf =
  (image: Uint8Array): ReadAt =>
  async (offset, length) =>
    Buffer.from(image.buffer, image.byteOffset, image.length).subarray(offset, offset + length);
const partitionsOf = (image: Uint8Array) => readPartitions(readerOf(image), IMAGE_SECTORS * SECTOR_BYTES);

/** A master boot record; of each partition type, first sector and number of sectors. */
function mbr(...partitions: readonly (readonly [type: number, first: number, sectors: number])[]): Uint8Array {
  const image = new Uint8Array(40 * SECTOR_BYTES);
  const view = new DataView(image.buffer);
  partitions.forEach(([type, first, sectors], index) => {
    image[446 + index * 16 + 4] = type;
    view.setUint32(446 + index * 16 + 8, first, true);
    view.setUint32(446 + index * 16 + 12, sectors, true);
  });
  image.set([0x55, 0xaa], 510);
  return image;
}

/** A GUID partition table; `spoil` changes it before its checksums are taken. */
function gpt(
  partitions: readonly (readonly [first: bigint, last: bigint])[],
  spoil: (header: DataView, entries: DataView) => void = () => {},
): Uint8Array {
  const image = mbr([0xee, 1, IMAGE_SECTORS - 1]);
  const header = new DataView(image.buffer, SECTOR_BYTES, 92);
  const entries = new DataView(image.buffer, 2 * SECTOR_BYTES, 128 * 128);
  image.set(Buffer.from('EFI PART'), SECTOR_BYTES);
  header.setUint32(12, 92, true);
  header.setBigUint64(72, 2n, true);
  header.setUint32(80, 128, true);
  header.setUint32(84, 128, true);
  partitions.forEach(([first, last], index) => {
    entries.setUint8(index * 128, 0xaf);
    entries.setBigUint64(index * 128 + 32, first, true);
    entries.setBigUint64(index * 128 + 40, last, true);
  });
  spoil(header, entries);
  header.setUint32(88, crc32(image.subarray(1024, 1024 + 128 * 128)), true);
  header.setUint32(16, 0, true);
  header.setUint32(16, crc32(image.subarray(512, 512 + 92)), true);
  return image;
}

describe('a master boot record', () => {
  test('gives its partitions, but not those that hold others', async () => {
    expect(await partitionsOf(mbr([0x0c, 8, 92], [0x83, 100, 900]))).toEqual([
      { number: 1, offset: 4096, bytes: 92 * 512 },
      { number: 2, offset: 51200, bytes: 900 * 512 },
    ]);
    expect(await partitionsOf(mbr([0, 0, 0], [0x05, 8, 92], [0x83, 100, 9]))).toEqual([
      { number: 3, offset: 51200, bytes: 9 * 512 },
    ]);
  });

  test.each([
    ['overlap', mbr([0x0c, 8, 93], [0x83, 100, 900]), 'partition 2 overlaps partition 1'],
    ['overlap, in another order', mbr([0x83, 100, 900], [0x0c, 8, 93]), 'partition 1 overlaps partition 2'],
    ['begin at the table', mbr([0x0c, 0, 8]), 'partition 1 overlaps the partition table'],
    ['reach beyond the image', mbr([0x0c, 8, 993]), 'was it cut off?'],
    ['reach beyond all numbers', mbr([0x0c, 0xffffffff, 0xffffffff]), 'was it cut off?'],
    ['have no length', mbr([0x0c, 8, 0]), 'partition 1 has no length'],
  ])('is refused when partitions %s', async (_case, image, message) => {
    await expect(partitionsOf(image)).rejects.toThrow(message);
    await expect(partitionsOf(image)).rejects.toThrow(BoardsError);
  });

  test('is refused without its signature, or a whole sector', async () => {
    const unsigned = mbr([0x0c, 8, 92]);
    unsigned[511] = 0;
    await expect(partitionsOf(unsigned)).rejects.toThrow('there is no partition table');
    await expect(partitionsOf(mbr([0x0c, 8, 92]).subarray(0, 511))).rejects.toThrow('there is no partition table');
  });
});

describe('a GUID partition table', () => {
  test('gives its partitions', async () => {
    expect(
      await partitionsOf(
        gpt([
          [40n, 99n],
          [100n, 999n],
        ]),
      ),
    ).toEqual([
      { number: 1, offset: 40 * 512, bytes: 60 * 512 },
      { number: 2, offset: 100 * 512, bytes: 900 * 512 },
    ]);
  });

  test.each([
    [
      'partitions that overlap',
      gpt([
        [40n, 100n],
        [100n, 999n],
      ]),
      'overlaps',
    ],
    ['a partition that ends before it begins', gpt([[50n, 40n]]), 'has no length'],
    ['a partition beyond all disks', gpt([[40n, 2n ** 64n - 1n]]), 'was it cut off?'],
    ['too many entries', gpt([], (header) => header.setUint32(80, 0xffffffff, true)), 'entries of 128 bytes'],
    ['entries without a length', gpt([], (header) => header.setUint32(84, 0, true)), 'entries of 0 bytes'],
    [
      'entries at the end of all numbers',
      gpt([], (header) => header.setBigUint64(72, 2n ** 64n - 1n, true)),
      'damaged',
    ],
    ['a header longer than its sector', gpt([], (header) => header.setUint32(12, 513, true)), 'no header'],
  ])('is refused with %s', async (_case, image, message) => {
    await expect(partitionsOf(image)).rejects.toThrow(message);
  });

  test.each([
    ['header', 512 + 60, 'the header'],
    ['table', 1024 + 33, 'damaged'],
    ['signature', 512, 'no header'],
  ])('is refused with one bit wrong in its %s', async (_part, at, message) => {
    const image = gpt([[40n, 99n]]);
    image[at] = (image[at] ?? 0) ^ 1;
    await expect(partitionsOf(image)).rejects.toThrow(message);
  });
});

test('no table, whatever its bytes, leads outside of the image', async () => {
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state >>> 16;
  };
  for (let round = 0; round < 2_000; round++) {
    const image = round % 2 === 0 ? mbr([0x0c, 8, 92]) : gpt([[40n, 99n]]);
    for (let change = 0; change < 4; change++) image[446 + (random() % 66)] = random() & 0xff;
    image.set([0x55, 0xaa], 510);
    try {
      for (const { offset, bytes } of await partitionsOf(image)) {
        expect(offset >= 512 && bytes > 0 && offset + bytes <= IMAGE_SECTORS * SECTOR_BYTES).toBe(true);
      }
    } catch (error) {
      expect(error).toBeInstanceOf(BoardsError);
    }
  }
});
