/** An Ed25519 key pair (RFC 8032). */
export interface SigningKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Returns the 64-byte signature. */
  sign(message: Uint8Array): Uint8Array;
}

/** An X25519 key pair (RFC 7748). */
export interface AgreementKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Returns the 32-byte shared secret, or undefined when it is all zero (a small-order public key). */
  agree(remotePublicKey: Uint8Array): Uint8Array | undefined;
}

/** A ChaCha20-Poly1305 key (RFC 8439). Built once, used for many records: building one is dear. */
export interface AeadKey {
  /**
   * Seals `plaintext` under a 12-byte nonce. Returns ciphertext and 16-byte tag as one array of
   * `plaintext.length + 16` bytes that the caller owns.
   */
  seal(nonce: Uint8Array, plaintext: Uint8Array, associatedData?: Uint8Array): Uint8Array;
  /** The same, ciphertext and tag apart: spares the copy that joins them when both are written as chunks. */
  sealInParts(nonce: Uint8Array, plaintext: Uint8Array): readonly [ciphertext: Uint8Array, tag: Uint8Array];
  /** Opens what `seal` made, or returns undefined when it does not authenticate. The result is the caller's. */
  open(nonce: Uint8Array, sealed: Uint8Array, associatedData?: Uint8Array): Uint8Array | undefined;
}

/** The primitives that the runtime uses. All but `stretch` are synchronous: a record must not wait for a promise. */
export interface Crypto {
  sha256(data: Uint8Array): Uint8Array;
  sha512(data: Uint8Array): Uint8Array;
  hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array;
  hmacSha512(key: Uint8Array, data: Uint8Array): Uint8Array;
  /** HKDF-SHA-256 (RFC 5869): `length` bytes, at most 8,160. */
  hkdfSha256(inputKey: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array;
  /** The signing key of a 32-byte seed. */
  signingKey(seed: Uint8Array): SigningKey;
  /**
   * Verifies an Ed25519 signature. Returns false, never throws, also for keys and signatures of the wrong length and
   * for a public key or an R of small order (so that all peers agree whatever their platform does).
   */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  /** The agreement key of a 32-byte seed. */
  agreementKey(seed: Uint8Array): AgreementKey;
  /** A ChaCha20-Poly1305 key of 32 bytes. */
  aeadKey(key: Uint8Array): AeadKey;
  /** Compares in time that depends on the lengths alone. */
  equalConstantTime(a: Uint8Array, b: Uint8Array): boolean;
  /**
   * Stretches a password to 32 bytes: scrypt (RFC 7914), N = 2^15, r = 8, p = 1. Takes 32 MiB and some 100 ms, off the event
   * loop; the caller sees to it that few run at once.
   */
  stretch(password: Uint8Array, salt: Uint8Array): Promise<Uint8Array>;
}
