/** A tagged item (RFC 8949 section 3.4), for example 18 for COSE_Sign1. */
export class CborTag {
  readonly tag: number;
  readonly value: CborValue;

  constructor(tag: number, value: CborValue) {
    this.tag = tag;
    this.value = value;
  }
}

export type CborKey = number | string;

/**
 * What strict CBOR decodes to. Integers are numbers as long as they are safe and bigint beyond; maps are always Map,
 * so that no key of a stranger's ever names a member of an object.
 */
export type CborValue =
  | number
  | bigint
  | string
  | boolean
  | null
  | Uint8Array
  | readonly CborValue[]
  | ReadonlyMap<CborKey | bigint, CborValue>
  | CborTag;
