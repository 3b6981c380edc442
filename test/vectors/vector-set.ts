/** Anything that a vector file can hold. Bytes stand as lower-case hex, ids as their text. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

export interface VectorCase {
  readonly name: string;
  /** What the inputs and outputs are. Where a case has `cddl`, its `bytes` are CBOR of that rule of the set's CDDL. */
  readonly [member: string]: Json;
}

/** One file of test vectors, and how this implementation makes and reads its cases. */
export interface VectorSet {
  /** Name of the file, without `.json`. */
  readonly name: string;
  readonly description: string;
  /** The page that says how the bytes come to be. */
  readonly document: string;
  /** File of the rules that cases name, in docs/protocol. */
  readonly cddl?: string;
  readonly vectors: readonly Vector[];
}

export interface Vector {
  readonly data: VectorCase;
  /** Reads the bytes of the case as the file has it; throws, or fails an expectation, unless they mean what it says. */
  check(data: VectorCase): void | Promise<void>;
}
