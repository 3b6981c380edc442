import type { ConnectionHandler, PipevineError } from '@pipevine/runtime';

/** Writes down all that a connection says. */
export class RecordingHandler implements ConnectionHandler {
  readonly chunks: Uint8Array[] = [];
  readonly closed: (PipevineError | undefined)[] = [];
  /** Names of the callbacks that came after `onClosed`. */
  readonly afterClosed: string[] = [];
  writable = 0;
  byteLength = 0;

  onBytes(bytes: Uint8Array): void {
    this.#note('onBytes');
    this.chunks.push(bytes);
    this.byteLength += bytes.length;
  }

  onWritable(): void {
    this.#note('onWritable');
    this.writable++;
  }

  onClosed(error?: PipevineError): void {
    this.#note('onClosed');
    this.closed.push(error);
  }

  /** All bytes so far, as one array. */
  bytes(): Uint8Array {
    return Uint8Array.from(Buffer.concat(this.chunks));
  }

  /** Starts anew with the bytes. */
  forget(): void {
    this.chunks.length = 0;
    this.byteLength = 0;
  }

  #note(callback: string): void {
    if (this.closed.length > 0) this.afterClosed.push(callback);
  }
}
