/**
 * A dialler written from docs/protocol alone (link.md, wire.cddl, README.md), with Node's own primitives and nothing of the
 * runtime: the handshake XX, records of a stream, and a decoder of the CBOR that frames are made of. It shows that the pages
 * are enough, so it must not import the runtime.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';

// RFC 8410: what stands before the 32 bytes of a key.
const PRIVATE = { ed25519: '302e020100300506032b657004220420', x25519: '302e020100300506032b656e04220420' };
const PUBLIC = { ed25519: '302a300506032b6570032100', x25519: '302a300506032b656e032100' };
type Curve = keyof typeof PRIVATE;
const privateKey = (curve: Curve, bytes: Uint8Array) =>
  createPrivateKey({ key: Buffer.concat([Buffer.from(PRIVATE[curve], 'hex'), bytes]), format: 'der', type: 'pkcs8' });
const publicKey = (curve: Curve, bytes: Uint8Array) =>
  createPublicKey({ key: Buffer.concat([Buffer.from(PUBLIC[curve], 'hex'), bytes]), format: 'der', type: 'spki' });
const publicBytes = (key: KeyObject) => createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);

const hash = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest();
const mac = (key: Uint8Array, ...parts: Uint8Array[]) =>
  createHmac('sha256', key).update(Buffer.concat(parts)).digest();
const DOMAIN = Buffer.from('pipevine/1 noise static key');
const NO_BYTES = Buffer.alloc(0);

/** link.md, Records: 4 zero bytes and the number, little-endian. */
function nonce(number: number): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeBigUInt64LE(BigInt(number), 4);
  return bytes;
}
const AEAD = ['chacha20-poly1305', { authTagLength: 16 }] as const;

function seal(key: Uint8Array, number: number, data: Uint8Array, plaintext: Uint8Array): Buffer {
  const cipher = createCipheriv(AEAD[0], key, nonce(number), AEAD[1]);
  cipher.setAAD(data, { plaintextLength: plaintext.length });
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

function open(key: Uint8Array, number: number, data: Uint8Array, sealed: Uint8Array): Buffer {
  const cipher = createDecipheriv(AEAD[0], key, nonce(number), AEAD[1]);
  const end = sealed.length - 16;
  cipher.setAAD(data, { plaintextLength: end }).setAuthTag(sealed.subarray(end));
  return Buffer.concat([cipher.update(sealed.subarray(0, end)), cipher.final()]);
}

/** One direction of records. */
export class StrangerRecords {
  #key: Uint8Array;
  #number = 0;

  constructor(key: Uint8Array) {
    this.#key = key;
  }

  seal(plaintext: Uint8Array): Buffer {
    return seal(this.#key, this.#number++, NO_BYTES, plaintext);
  }

  open(sealed: Uint8Array): Buffer {
    return open(this.#key, this.#number++, NO_BYTES, sealed);
  }

  /** 32 zero bytes sealed with the nonce of 2^64 - 1, without the tag; the numbers go on. */
  rekey(): void {
    const cipher = createCipheriv(AEAD[0], this.#key, Buffer.from('00000000ffffffffffffffff', 'hex'), AEAD[1]);
    this.#key = cipher.update(Buffer.alloc(32));
  }
}

/** The dialler of XX (Noise, revision 34, section 5). */
export class StrangerHandshake {
  readonly #identity: KeyObject;
  readonly #static: KeyObject;
  readonly #ephemeral: KeyObject;
  #h: Buffer;
  #ck: Buffer;
  #key: Uint8Array = NO_BYTES;
  #number = 0;
  #remoteEphemeral: KeyObject | undefined;
  /** Who answered. */
  remotePeer: Buffer = NO_BYTES;

  constructor(seed: Uint8Array, ephemeral: Uint8Array) {
    this.#identity = privateKey('ed25519', seed);
    const staticKey = hkdfSync('sha256', seed, NO_BYTES, DOMAIN, 32);
    this.#static = privateKey('x25519', new Uint8Array(staticKey));
    this.#ephemeral = privateKey('x25519', ephemeral);
    this.#ck = Buffer.from('Noise_XX_25519_ChaChaPoly_SHA256');
    this.#h = hash(this.#ck, Buffer.from('pipevine/1'));
  }

  /** -> e, no payload. */
  first(): Buffer {
    const e = publicBytes(this.#ephemeral);
    this.#mixHash(e);
    this.#mixHash(NO_BYTES);
    return e;
  }

  /** <- e, ee, s, es, identity payload. Throws when anything is wrong. */
  second(message: Uint8Array): void {
    const e = message.subarray(0, 32);
    this.#mixHash(e);
    this.#remoteEphemeral = publicKey('x25519', e);
    this.#mixKey(this.#ephemeral, this.#remoteEphemeral);
    const s = this.#openHashed(message.subarray(32, 80));
    this.#mixKey(this.#ephemeral, publicKey('x25519', s));
    const payload = strangerDecode(this.#openHashed(message.subarray(80))).value as Map<number, Buffer>;
    const [peer, signature] = [payload.get(1), payload.get(2)];
    if (peer === undefined || signature === undefined) throw new Error('An identity payload lacks members.');
    if (!verify(null, Buffer.concat([DOMAIN, s]), publicKey('ed25519', peer), signature)) throw new Error('Forged.');
    this.remotePeer = peer;
  }

  /** -> s, se, identity payload: {1: key, 2: signature, 3: [1], 4: {1: 65519}}. */
  third(): Buffer {
    const s = publicBytes(this.#static);
    const sealedStatic = this.#sealHashed(s);
    if (this.#remoteEphemeral === undefined) throw new Error('The second message comes first.');
    this.#mixKey(this.#static, this.#remoteEphemeral);
    const signature = sign(null, Buffer.concat([DOMAIN, s]), this.#identity);
    const hex = (bytes: Buffer) => bytes.toString('hex');
    const payload = `a4015820${hex(publicBytes(this.#identity))}025840${hex(signature)}03810104a10119ffef`;
    return Buffer.concat([sealedStatic, this.#sealHashed(Buffer.from(payload, 'hex'))]);
  }

  /** Split: what the dialler sends, what it receives. */
  records(): readonly [StrangerRecords, StrangerRecords] {
    const [sending, receiving] = this.#hkdf(NO_BYTES);
    return [new StrangerRecords(sending), new StrangerRecords(receiving)];
  }

  #mixHash(bytes: Uint8Array): void {
    this.#h = hash(this.#h, bytes);
  }

  #mixKey(own: KeyObject, other: KeyObject): void {
    [this.#ck, this.#key] = this.#hkdf(diffieHellman({ privateKey: own, publicKey: other }));
    this.#number = 0;
  }

  #hkdf(input: Uint8Array): readonly [Buffer, Buffer] {
    const temporary = mac(this.#ck, input);
    const first = mac(temporary, Buffer.of(1));
    return [first, mac(temporary, first, Buffer.of(2))];
  }

  #sealHashed(plaintext: Uint8Array): Buffer {
    const sealed = seal(this.#key, this.#number++, this.#h, plaintext);
    this.#mixHash(sealed);
    return sealed;
  }

  #openHashed(sealed: Uint8Array): Buffer {
    const plaintext = open(this.#key, this.#number++, this.#h, sealed);
    this.#mixHash(sealed);
    return plaintext;
  }
}

/** The item at `at`, and where the next one begins: integers, bytes, text, arrays and maps are enough for a BIND. */
export function strangerDecode(bytes: Buffer, at = 0): { value: unknown; end: number } {
  const [head = 0, more = 0] = [bytes[at], (bytes[at] ?? 0) & 31];
  const width = more < 24 ? 0 : 1 << (more - 24);
  const start = at + 1 + width;
  let count = width === 0 ? more : 0;
  for (const byte of bytes.subarray(at + 1, start)) count = count * 256 + byte;
  if (head >> 5 === 0) return { value: count, end: start };
  if (head >> 5 === 2) return { value: bytes.subarray(start, start + count), end: start + count };
  if (head >> 5 === 3) return { value: bytes.toString('utf8', start, start + count), end: start + count };
  const isMap = head >> 5 === 5;
  if (!isMap && head >> 5 !== 4) throw new Error(`A frame has no ${head.toString(16)} here.`);
  const items: unknown[] = [];
  let end = start;
  while (items.length < (isMap ? 2 * count : count)) {
    const item = strangerDecode(bytes, end);
    items.push(item.value);
    end = item.end;
  }
  if (!isMap) return { value: items, end };
  return { value: new Map(Array.from({ length: count }, (_, i) => [items[2 * i], items[2 * i + 1]])), end };
}
