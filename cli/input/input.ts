import { PipevineError } from '@pipevine/runtime';

/** Who can be asked while a command runs. */
export interface Input {
  /** Whether a person sits at the terminal. */
  readonly interactive: boolean;
  /** What the person types; with `secret` nothing of it is shown. Rejects with `aborted` on Ctrl-C or end of input. */
  ask(question: string, options?: { readonly secret?: boolean }): Promise<string>;
  /** The first line of standard input, without its end. Rejects with `too-large` beyond 4 KiB. */
  firstLine(): Promise<string>;
  /** Standard input as it comes, to its end or until the signal. */
  chunks(signal: AbortSignal): AsyncIterable<Uint8Array>;
}

const nobody = async (): Promise<never> => {
  throw new PipevineError('unsupported', 'nobody can be asked here');
};

async function* nothing(): AsyncGenerator<Uint8Array> {}

export const NO_INPUT: Input = { interactive: false, ask: nobody, firstLine: nobody, chunks: nothing };
