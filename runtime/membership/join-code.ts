/**
 * Join codes, for people: 45 characters of base32 (RFC 4648 alphabet, upper case) in nine groups of five,
 *
 *     BXXXX-XXXXX-XXXXX-XXXXX-XXXXX-XXXXX-XXXXX-XXXXX-XXXXX
 *
 * | characters | bits | content                                               |
 * |------------|------|-------------------------------------------------------|
 * |          1 |    5 | version: 1, so every code begins with B               |
 * |         42 |  210 | 16 bytes fingerprint, 10 bytes secret, 2 zero bits    |
 * |          2 |   10 | CRC-10 (polynomial 0x233) of the 43 characters' bits  |
 *
 * The CRC finds every single wrong character and every swap of neighbours. As a link, for a QR code:
 * `pipevine://join/CODE?seed=tcp%3A%2F%2Fhost%3Aport`, with any number of seeds.
 */
import { PipevineError } from '../error/pipevine-error.ts';
import { base32Decode, base32Encode } from '../id/base32.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import { FINGERPRINT_BYTES } from './group-fingerprint.ts';
import { MAX_JOIN_SEED_LENGTH, MAX_JOIN_SEEDS } from './membership-defaults.ts';

export const JOIN_SECRET_BYTES = 10;

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const VERSION = 1;
const CODE_LENGTH = 45;
const GROUP_LENGTH = 5;
const LINK_PREFIX = 'pipevine://join/';
const LOOKS_LIKE =
  'A code has nine groups of five characters, like BXXXX-XXXXX-XXXXX-XXXXX-XXXXX-XXXXX-XXXXX-XXXXX-XXXXX';
/** Not in the alphabet, and easily written for what is. */
const CONFUSED = new Map([
  ['0', 'O'],
  ['1', 'I'],
  ['8', 'B'],
]);

/** What a code says. */
export interface JoinCode {
  /** Names the group, see group-fingerprint.ts. */
  readonly fingerprint: Uint8Array;
  readonly secret: Uint8Array;
}

/** A code and where to find an administrator. */
export interface JoinLink extends JoinCode {
  readonly seeds: readonly EndpointAddress[];
}

/** The code in groups of five. */
export function formatJoinCode(code: JoinCode): string {
  const bytes = new Uint8Array(FINGERPRINT_BYTES + JOIN_SECRET_BYTES);
  bytes.set(code.fingerprint);
  bytes.set(code.secret, FINGERPRINT_BYTES);
  const data = `${ALPHABET[VERSION]}${base32Encode(bytes).toUpperCase()}`;
  const text = data + checksum(data);
  const groups: string[] = [];
  for (let i = 0; i < text.length; i += GROUP_LENGTH) groups.push(text.slice(i, i + GROUP_LENGTH));
  return groups.join('-');
}

/** The link that a QR code shows. */
export function formatJoinLink(link: JoinLink): string {
  const seeds = link.seeds.map((seed) => `seed=${encodeURIComponent(seed)}`).join('&');
  return `${LINK_PREFIX}${formatJoinCode(link)}${seeds === '' ? '' : `?${seeds}`}`;
}

/**
 * Reads a code or a link; case, spaces and dashes do not matter. Throws `invalid-argument`, saying what is wrong with
 * it, and `unsupported` for a code of a later version.
 */
export function parseJoinCode(text: string): JoinLink {
  const trimmed = text.trim();
  if (!trimmed.toLowerCase().startsWith(LINK_PREFIX)) return { ...parseCode(trimmed), seeds: [] };
  const [code = '', query = ''] = trimmed.slice(LINK_PREFIX.length).split('?', 2);
  return { ...parseCode(code.replace(/\/$/, '')), seeds: parseSeeds(query) };
}

function parseCode(text: string): JoinCode {
  if (text.length > 200) invalid(`it has ${text.length} characters`);
  const characters = [...text.toUpperCase().replace(/[\s\-\u2010-\u2015\u2212_]/g, '')];
  const code = characters.map((character) => CONFUSED.get(character) ?? character).join('');
  for (const [at, character] of characters.entries()) {
    if (!ALPHABET.includes(CONFUSED.get(character) ?? character)) {
      invalid(`"${character}" in group ${Math.floor(at / GROUP_LENGTH) + 1} is no character of a code`);
    }
  }
  if (code.length !== CODE_LENGTH) invalid(`it has ${code.length} characters instead of ${CODE_LENGTH}`);
  const data = code.slice(0, -2);
  if (checksum(data) !== code.slice(-2)) {
    invalid('it does not check out, so there is a typo in it; compare it group by group with the original');
  }
  const version = ALPHABET.indexOf(code.charAt(0));
  if (version !== VERSION) {
    throw new PipevineError('unsupported', `This join code is of version ${version}; update Pipevine to use it.`);
  }
  const bytes = base32Decode(data.slice(1));
  if (bytes === undefined) return invalid('it does not check out, so there is a typo in it');
  return { fingerprint: bytes.slice(0, FINGERPRINT_BYTES), secret: bytes.slice(FINGERPRINT_BYTES) };
}

function parseSeeds(query: string): EndpointAddress[] {
  const seeds: EndpointAddress[] = [];
  for (const member of query.split('&')) {
    if (!member.startsWith('seed=')) continue;
    let seed: string;
    try {
      seed = decodeURIComponent(member.slice('seed='.length));
    } catch {
      return invalid('a seed address in it is not percent-encoded as in a URL');
    }
    if (seed.length > MAX_JOIN_SEED_LENGTH || !/^[a-z][a-z0-9+.-]*:\/\/[^\s]+$/.test(seed)) {
      invalid(`the seed "${seed.slice(0, 60)}" is no address like tcp://host:port`);
    }
    if (seeds.length === MAX_JOIN_SEEDS) invalid(`it has more than ${MAX_JOIN_SEEDS} seeds`);
    seeds.push(seed);
  }
  return seeds;
}

/** CRC-10, polynomial x^10 + x^9 + x^5 + x^4 + x + 1, over five bits a character, as two characters. */
function checksum(data: string): string {
  let crc = 0;
  for (const character of data) {
    crc ^= ALPHABET.indexOf(character) << 5;
    for (let bit = 0; bit < 5; bit++) crc = crc & 0x200 ? ((crc << 1) ^ 0x233) & 0x3ff : (crc << 1) & 0x3ff;
  }
  return `${ALPHABET[crc >> 5]}${ALPHABET[crc & 31]}`;
}

function invalid(why: string): never {
  throw new PipevineError('invalid-argument', `This is no join code: ${why}. ${LOOKS_LIKE}.`);
}
