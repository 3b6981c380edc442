/**
 * COSE_Sign1 (RFC 9052 section 4.2), as all signed objects of Pipevine use it:
 *
 *     18([ << { 1: -8, 4: signer } >>, {}, payload, signature ])
 *
 * `1: -8` is EdDSA, `4` (kid) the signer's 32-byte Ed25519 public key, the unprotected header is empty, the signature
 * has 64 bytes. What is signed is the canonical CBOR of `["Signature1", protected, external_aad, payload]`. The
 * external_aad separates the domains: a signature on one kind of object is none on another. There is exactly one
 * encoding of an object; anything else is refused, so that nobody can make variants of what another signed.
 */
import { PipevineError } from '../error/pipevine-error.ts';
import type { Crypto, SigningKey } from '../platform/crypto.ts';
import { CborTag } from '../wire/cbor-value.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readArray, readBytes, readMap, readTag } from '../wire/shape.ts';

const COSE_SIGN1_TAG = 18;
const ALLOWED_TAGS = [COSE_SIGN1_TAG];
const EMPTY_MAP = new Map<number, number>();
/** The canonical CBOR of `{1: -8, 4: <32 bytes>}` as far as it is always the same. */
const HEADER_START = [0xa2, 0x01, 0x27, 0x04, 0x58, 0x20];
const textEncoder = new TextEncoder();

/** A COSE_Sign1 taken apart, its signature not yet checked. */
export interface CoseSign1 {
  /** The 32-byte public key of who is said to have signed. */
  readonly signer: Uint8Array;
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
  readonly protectedHeader: Uint8Array;
}

/** Signs `payload` within `domain`, for example `pipevine/1 advertisement`. */
export function signCose(signing: SigningKey, domain: string, payload: Uint8Array): Uint8Array {
  const header = protectedHeader(signing.publicKey);
  const signature = signing.sign(signatureInput(header, domain, payload));
  return encodeCanonical(new CborTag(COSE_SIGN1_TAG, [header, EMPTY_MAP, payload, signature]));
}

/** Takes a COSE_Sign1 apart. Throws `too-large` or `malformed`; `what` names it in the message. */
export function decodeCose(encoded: Uint8Array, what: string, maxBytes: number): CoseSign1 {
  if (encoded.length > maxBytes) {
    throw new PipevineError('too-large', `${what} may have ${maxBytes} bytes at most, not ${encoded.length}.`);
  }
  // The strict decoder has proven shortest lengths, so of these four members only the header's inside can still vary.
  const item = decodeStrict(encoded, { allowedTags: ALLOWED_TAGS, maxBytes });
  const members = readArray(readTag(item, what, COSE_SIGN1_TAG), what, { length: 4 });
  const header = readBytes(members[0], `${what}: protected header`, { maxLength: 64 });
  const signer = header.subarray(HEADER_START.length);
  if (readMap(members[1], `${what}: unprotected header`).map.size !== 0) {
    throw new PipevineError('malformed', `${what}: the unprotected header must be empty; nothing in it is signed.`);
  }
  const payload = readBytes(members[2], `${what}: payload`);
  const signature = readBytes(members[3], `${what}: signature`, { length: 64 });
  if (signer.length !== 32 || HEADER_START.some((byte, index) => header[index] !== byte)) {
    throw new PipevineError('malformed', `${what}: the protected header must be {1: -8, 4: key id} and nothing else.`);
  }
  return { signer, payload, signature, protectedHeader: header };
}

/** Throws `forged` when the signature is not the signer's over this payload in this domain. */
export function verifyCose(crypto: Crypto, domain: string, cose: CoseSign1, what: string): void {
  const input = signatureInput(cose.protectedHeader, domain, cose.payload);
  if (!crypto.verify(cose.signer, input, cose.signature)) {
    throw new PipevineError('forged', `${what} is not signed by the key that it names; it is dropped.`);
  }
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function protectedHeader(signer: Uint8Array): Uint8Array {
  return Uint8Array.from([...HEADER_START, ...signer]);
}

function signatureInput(header: Uint8Array, domain: string, payload: Uint8Array): Uint8Array {
  return encodeCanonical(['Signature1', header, textEncoder.encode(domain), payload]);
}
