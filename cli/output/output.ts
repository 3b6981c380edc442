import { PipevineError } from '@pipevine/runtime';
import { printable, printableJson, printableLines } from './printable.ts';

export interface TextSink {
  write(text: string | Uint8Array): unknown;
}

/** Where a command prints: results to `out`, notices and errors to `err`. */
export class Output {
  readonly json: boolean;
  readonly #out: TextSink;
  readonly #err: TextSink;
  readonly #debug: boolean;

  constructor(init: { json: boolean; out: TextSink; err: TextSink; debug: boolean }) {
    this.json = init.json;
    this.#out = init.out;
    this.#err = init.err;
    this.#debug = init.debug;
  }

  /** A line for people; nothing under --json. */
  line(text = ''): void {
    if (!this.json) this.#out.write(`${printableLines(text)}\n`);
  }

  /** A result: one JSON value a line under --json, else the lines for people. */
  value(value: unknown, human: () => string): void {
    this.#out.write(`${this.json ? printableJson(value) : printableLines(human())}\n`);
  }

  /** A result as it is. */
  bytes(bytes: Uint8Array): void {
    this.#out.write(bytes);
  }

  /** Something to know that is no result. */
  notice(text: string): void {
    this.#err.write(this.json ? `${printableJson({ notice: text })}\n` : `pipevine: ${printable(text)}\n`);
  }

  /** One line. The stack only for who asks for it by PIPEVINE_DEBUG. */
  error(error: unknown): void {
    const code = error instanceof PipevineError ? error.code : 'internal';
    const message = error instanceof Error ? error.message : String(error);
    const text = message.replace(/\s*\n\s*/g, ' ');
    this.#err.write(
      this.json ? `${printableJson({ error: { code, message: text } })}\n` : `pipevine: ${printable(text)}\n`,
    );
    if (this.#debug && error instanceof Error) {
      const cause = error.cause instanceof Error ? `\ncaused by ${error.cause.stack}` : '';
      this.#err.write(`${printableLines(`${error.stack}${cause}`)}\n`);
    } else if (!(error instanceof PipevineError) && !this.json) {
      this.#err.write('pipevine: this is a defect of Pipevine; PIPEVINE_DEBUG=1 shows where\n');
    }
  }
}
