/** One form of bytes that come from outside, or from a storage that may be damaged. */
export interface FuzzedCodec {
  readonly name: string;
  readonly valid: readonly Uint8Array[];
  decode(bytes: Uint8Array): unknown;
  /** The exported decoders that this tries, where `decode` is not simply one of them. */
  readonly covers?: readonly unknown[];
  /** Writes what `decode` gave. Absent where there is no such function, or what it would sign is not all of it. */
  encode?(value: never): Uint8Array;
  /** Codes besides `malformed` and `too-large`. */
  readonly codes?: readonly string[];
  /** Whether each bit is signed, or part of a signature. */
  readonly sealed?: boolean;
  /** Puts a valid signature on a payload: what a member with a key can send. Then `payloads` are valid ones. */
  readonly seal?: (payload: Uint8Array) => Uint8Array;
  readonly payloads?: readonly Uint8Array[];
  /** Not CBOR, so nothing can be misshapen by its members. */
  readonly isPlain?: boolean;
  /** The payloads are not CBOR either. */
  readonly hasPlainPayloads?: boolean;
  /** Ends with bytes that may be cut off, or go on. */
  readonly isOpenEnded?: boolean;
}
