/** Called with how many bytes of the file were read up to now. */
export type OnRead = (bytes: number) => void;

/** Of a read: large enough that their number does not matter. */
export const READ_BYTES = 1_024 * 1_024;
