import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';

export interface FinishedImage {
  /** The file to keep. */
  readonly path: string;
  readonly imageBytes: number;
  readonly imageSha256: string;
  readonly packedBytes: number;
  readonly packedSha256: string;
}

/**
 * 10 packs a stock image to some percent more than the slowest level, in a tenth of its time. Several threads would share it, and
 * Node's stream fails with them (24.21: data after the end).
 */
const ZSTD_LEVEL = 10;
const READ_BYTES = 2 ** 20;

/** Takes the hashes of an image, and packs it beside itself when asked to. */
export async function finishImage(
  image: string,
  isPacked: boolean,
  {
    signal,
    onProgress,
  }: { readonly signal?: AbortSignal | undefined; readonly onProgress?: ((part: number) => void) | undefined },
): Promise<FinishedImage> {
  const imageBytes = (await stat(image)).size;
  const [imageHash, packedHash] = [createHash('sha256'), createHash('sha256')];
  let readBytes = 0;
  const hashed = async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      imageHash.update(chunk);
      readBytes += chunk.length;
      onProgress?.(readBytes / imageBytes);
      yield chunk;
    }
  };
  const source = createReadStream(image, { highWaterMark: READ_BYTES });
  const options = signal === undefined ? {} : { signal };
  if (!isPacked) {
    const nowhere = async (chunks: AsyncIterable<Buffer>) => {
      for await (const _chunk of chunks);
    };
    await pipeline(source, hashed, nowhere, options);
    const imageSha256 = imageHash.digest('hex');
    return { path: image, imageBytes, imageSha256, packedBytes: imageBytes, packedSha256: imageSha256 };
  }
  let packedBytes = 0;
  const counted = async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      packedHash.update(chunk);
      packedBytes += chunk.length;
      yield chunk;
    }
  };
  const packer = createZstdCompress({
    chunkSize: READ_BYTES,
    pledgedSrcSize: imageBytes,
    params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL, [constants.ZSTD_c_checksumFlag]: 1 },
  });
  const path = `${image}.zst`;
  await pipeline(source, hashed, packer, counted, createWriteStream(path, { mode: 0o600 }), options);
  return {
    path,
    imageBytes,
    imageSha256: imageHash.digest('hex'),
    packedBytes,
    packedSha256: packedHash.digest('hex'),
  };
}
