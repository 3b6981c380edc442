/** Called with how many bytes of the file were read up to now. */
export type OnRead = (bytes: number) => void;

/** The bytes of an image, from the beginning. A chunk stands until the next one is asked for; until then it may be changed. */
export type ChunksOf = (path: string, fileBytes: number, onRead: OnRead) => AsyncIterable<Uint8Array>;

/** Of a read: large enough that their number does not matter. */
export const READ_BYTES = 1_024 * 1_024;
