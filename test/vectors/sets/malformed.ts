import assert from 'node:assert/strict';
import { PipevineError, parseJoinCode, parsePeerId } from '@pipevine/runtime';
import {
  decodeStrict,
  encodeCanonical,
  readFrames,
  verifyAdvertisement,
  verifyIdentityPayload,
} from '@pipevine/runtime/protocol';
import { nodeCrypto } from '@pipevine/transports';
import { decodeQuery } from '../../../runtime/discovery/discovery-codec.ts';
import { decodeLocalMessage } from '../../../runtime/discovery/local-packet-codec.ts';
import { verifyCredential } from '../../../runtime/group/credential-codec.ts';
import { readStatement, verifyStatement } from '../../../runtime/group/statement-codec.ts';
import { decodeMailboxRequest } from '../../../runtime/mailbox/mailbox-codec.ts';
import { decodeMembershipRequest } from '../../../runtime/membership/membership-codec.ts';
import { decodeAdministrators } from '../../../runtime/membership/who-admits.ts';
import { decodePipeReport } from '../../../runtime/pipe/pipe-report.ts';
import { readRelayedPath } from '../../../runtime/pipe/relayed-path.ts';
import { decodeSessionField } from '../../../runtime/pipe/session-field.ts';
import { decodeContent, decodeEnvelope } from '../../../runtime/propagate/propagate-codec.ts';
import { decodeRelayGrant, decodeRelayRequest } from '../../../runtime/relay/relay-codec.ts';
import { decodeRouteAnswer, decodeRouteQuery } from '../../../runtime/router/route-codec.ts';
import { decodeAnswer } from '../../../transports/http/long-poll-wire.ts';
import { ALICE, ALICE_CREDENTIAL } from '../cast.ts';
import { fromHex, toHex } from '../hex.ts';
import type { Vector, VectorSet } from '../vector-set.ts';
import { ADVERTISEMENTS } from './advertisements.ts';
import { CHARTER } from './groups.ts';

const nobody = { stopped: false, onData() {}, onFrame() {}, onUnsupportedBind() {}, onUnknownFrame() {} };
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** What reads the input of a case. */
const READERS = {
  cbor: (bytes: Uint8Array) => decodeStrict(bytes),
  'frames of a record': (bytes: Uint8Array) => readFrames(bytes, nobody),
  'identity payload of Alice': (bytes: Uint8Array) =>
    verifyIdentityPayload(nodeCrypto, bytes, ALICE.agreement.publicKey),
  'session of BIND': decodeSessionField,
  'relayed path': readRelayedPath,
  'sealed acknowledgement': decodePipeReport,
  'route question': decodeRouteQuery,
  'route answer': decodeRouteAnswer,
  'who admits': decodeAdministrators,
  advertisement: (bytes: Uint8Array) => verifyAdvertisement(nodeCrypto, bytes),
  credential: (bytes: Uint8Array) => verifyCredential(nodeCrypto, bytes),
  statement: (bytes: Uint8Array) => verifyStatement(nodeCrypto, readStatement(bytes)),
  'membership request': decodeMembershipRequest,
  'mailbox request': decodeMailboxRequest,
  'relay request': decodeRelayRequest,
  'relay grant': decodeRelayGrant,
  'discovery query': decodeQuery,
  'local packet': decodeLocalMessage,
  'propagate envelope': decodeEnvelope,
  'propagate content': decodeContent,
  'http answer': decodeAnswer,
  'text of a peer id': (bytes: Uint8Array) => parsePeerId(text(bytes)),
  'join code': (bytes: Uint8Array) => parseJoinCode(text(bytes)),
} as const;
type Reader = keyof typeof READERS;

function refused(
  reader: Reader,
  name: string,
  bytes: Uint8Array | string,
  code: PipevineError['code'] = 'malformed',
): Vector {
  const hex = typeof bytes === 'string' ? bytes.replaceAll(' ', '') : toHex(bytes);
  return {
    data: { name: `${reader}: ${name}`, reader, bytes: hex, code },
    check: (data) =>
      assert.throws(
        () => READERS[data.reader as Reader](fromHex(data.bytes)), // As this file writes it.
        (error) => error instanceof PipevineError && error.code === data.code,
        `${name} is taken, or refused for another reason`,
      ),
  };
}

const utf8 = (value: string) => new TextEncoder().encode(value);
const relayId = (value: number) => toHex(new Uint8Array(32).fill(value));
const nested = (levels: number) => `${'81'.repeat(levels)}00`;
const advertisement = fromHex(ADVERTISEMENTS.vectors.find(({ data }) => data.name === 'pipe')?.data.signed);
const flipped = (bytes: Uint8Array, at: number) =>
  bytes.map((byte, i) => (i === (at < 0 ? bytes.length + at : at) ? byte ^ 1 : byte));

export const MALFORMED: VectorSet = {
  name: 'malformed',
  description:
    'What a receiver refuses, and with which error of this implementation. `reader` says as what the bytes came.',
  document: 'docs/protocol/README.md',
  vectors: [
    refused('cbor', 'nothing', ''),
    refused('cbor', 'an integer of one byte too many', '18 17'),
    refused('cbor', 'an integer of seven bytes too many', '1b 0000000000000001'),
    refused('cbor', 'a negative integer of one byte too many', '38 17'),
    refused('cbor', 'a length of one byte too many', '58 01 00'),
    refused('cbor', 'an array of indefinite length', '9f 00 ff'),
    refused('cbor', 'a map of indefinite length', 'bf 00 00 ff'),
    refused('cbor', 'bytes of indefinite length', '5f 41 00 ff'),
    refused('cbor', 'text of indefinite length', '7f 61 78 ff'),
    refused('cbor', 'a break alone', 'ff'),
    refused('cbor', 'a reserved length', '1c'),
    refused('cbor', 'an integer key twice', 'a2 01 00 01 01'),
    refused('cbor', 'a text key twice, not side by side', 'a3 61 61 00 61 62 00 61 61 01'),
    refused('cbor', 'a key of bytes', 'a1 41 00 00'),
    refused('cbor', 'a key that is an array', 'a1 80 00'),
    refused('cbor', 'a bignum', 'c2 41 01'),
    refused('cbor', 'a negative bignum', 'c3 41 01'),
    refused('cbor', 'a date', 'c1 00'),
    refused('cbor', 'a tag that is no harm', 'd9 d9f7 00'),
    refused('cbor', 'depth 17', nested(17)),
    refused('cbor', 'undefined', 'f7'),
    refused('cbor', 'a simple value', 'e0'),
    refused('cbor', 'a simple value of two bytes', 'f8 20'),
    refused('cbor', 'an array cut short', '82 00'),
    refused('cbor', 'an array of 2^32 - 1 members', '9a ffffffff'),
    refused('cbor', 'a map of 2^53 entries', 'bb 0020000000000000'),
    refused('cbor', 'bytes cut short', '43 0000'),
    refused('cbor', 'a float cut short', 'fb 3ff00000'),
    refused('cbor', 'something after the item', '00 00'),
    refused('cbor', 'text that is not UTF-8: a lone continuation', '61 80'),
    refused('cbor', 'text that is not UTF-8: overlong', '62 c080'),
    refused('cbor', 'text that is not UTF-8: a surrogate', '63 eda080'),
    refused('cbor', 'text that is not UTF-8: beyond U+10FFFF', '64 f4908080'),
    refused('cbor', '16,385 items', `99 4000 ${'00'.repeat(16_384)}`, 'too-large'),
    refused('cbor', '4,097 arrays', `99 1000 ${'80'.repeat(4_096)}`, 'too-large'),
    refused('frames of a record', 'no array', '00'),
    refused('frames of a record', 'an empty array', '80'),
    refused('frames of a record', 'DATA without a payload', '82 00 05'),
    refused('frames of a record', 'DATA whose payload is text', '83 00 05 61 78'),
    refused('frames of a record', 'DATA on channel 2^32', '83 00 1b0000000100000000 40'),
    refused('frames of a record', 'ACK with an empty list of ranges', '85 02 05 11 18 64 80'),
    refused('frames of a record', 'ACK with a range that touches next', '85 02 05 11 18 64 81 82 11 12'),
    refused('frames of a record', 'BIND without parameters', '83 03 07 a0'),
    refused('frames of a record', 'PING with two tokens', '83 07 01 02'),
    refused('frames of a record', 'UNBIND whose code has 33 characters', encodeCanonical([6, 1, 'x'.repeat(33), ''])),
    refused('frames of a record', 'a frame with a tag in it', '82 07 c1 00'),
    refused('identity payload of Alice', 'an empty map', 'a0'),
    refused(
      'identity payload of Alice',
      'a signature of zeros',
      encodeCanonical(
        new Map([
          [1, ALICE.signing.publicKey],
          [2, new Uint8Array(64)],
        ]),
      ),
      'forged',
    ),
    refused(
      'identity payload of Alice',
      'a signature of something else',
      encodeCanonical(
        new Map([
          [1, ALICE.signing.publicKey],
          [2, ALICE.signing.sign(ALICE.agreement.publicKey)],
        ]),
      ),
      'forged',
    ),
    refused('session of BIND', 'a first byte that means nothing', '7f'),
    refused('session of BIND', 'a proof of 31 bytes', `01 0000000000000001 ${'0d'.repeat(31)}`),
    refused('session of BIND', 'a counter of 2^53', `01 0020000000000000 ${'0d'.repeat(32)}`),
    refused('relayed path', 'a head cut short', '02 00 04'),
    refused('relayed path', '255 relays passed', '02 ff 0400 00'),
    refused('relayed path', 'payloads of 255 bytes', '02 01 00ff 00'),
    refused('relayed path', 'five relays passed', '02 05 0400 00'),
    refused(
      'relayed path',
      'four relays named after the first',
      `03 00 0400 04 ${[1, 2, 3, 4].map(relayId).join('')} 00`,
    ),
    refused('relayed path', 'two relays named, one there', `03 00 0400 02 ${relayId(1)} 00`),
    refused('relayed path', 'one relay named twice', `03 00 0400 02 ${relayId(1)} ${relayId(1)} 00`),
    refused('relayed path', 'more relays passed than named', `03 03 0400 01 ${relayId(1)} 00`),
    refused('sealed acknowledgement', 'a range that touches next', '83 05 18 40 81 82 05 06'),
    refused('sealed acknowledgement', 'ranges that descend', '83 05 18 40 82 82 09 09 82 07 07'),
    refused('sealed acknowledgement', 'one that asks with false', '84 05 18 40 80 f4'),
    refused('route question', 'a peer id of 31 bytes', `a1 01 58 1f ${'11'.repeat(31)}`),
    refused('route answer', '33 advertisements', `98 21 ${'41 00'.repeat(33)}`),
    refused('route answer', 'an advertisement that is no byte string', '81 00'),
    refused('who admits', 'five of them', `85 ${[1, 2, 3, 4, 5].map((i) => `5820${relayId(i)}`).join('')}`),
    refused('advertisement', 'a bit of the signature changed', flipped(advertisement, -1), 'forged'),
    refused('advertisement', 'cut short', advertisement.subarray(0, -1)),
    refused('advertisement', 'something after it', Uint8Array.from([...advertisement, 0])),
    refused('advertisement', 'without its tag', advertisement.subarray(1)),
    refused('credential', 'a bit of the signature changed', flipped(ALICE_CREDENTIAL.encoded, -1), 'forged'),
    refused('credential', 'an advertisement', advertisement),
    refused('credential', 'a statement', CHARTER.encoded),
    refused('statement', 'a bit of the signature changed', flipped(CHARTER.encoded, -1), 'forged'),
    refused('statement', 'a credential', ALICE_CREDENTIAL.encoded),
    refused('membership request', 'a type of a later version', 'a1 00 18 63', 'unsupported'),
    refused('membership request', 'a join without a group', 'a2 00 03 03 61 78'),
    refused('mailbox request', 'a put without messages', 'a2 01 00 02 80'),
    refused('mailbox request', 'a request of a later version', 'a1 01 03'),
    refused('relay request', 'a request of a later version', 'a1 01 02', 'unsupported'),
    refused('relay request', 'a lease id of 7 bytes', 'a3 01 00 02 47 00000000000000 03 00'),
    refused('relay grant', 'a lease of no time', 'a2 02 48 0000000000000000 03 00'),
    refused('discovery query', 'a kind of a later version', 'a2 01 09 06 01', 'unsupported'),
    refused('discovery query', 'a limit of 0', 'a2 01 03 06 00'),
    refused('local packet', 'a peer of 31 bytes', encodeCanonical(['pipevine', 1, 0, new Uint8Array(31), [], [], 0])),
    refused('local packet', '1,201 bytes', new Uint8Array(1_201), 'too-large'),
    refused(
      'propagate envelope',
      'a nonce of 11 bytes',
      encodeCanonical([1, new Uint8Array(8), new Uint8Array(11), new Uint8Array(16)]),
    ),
    refused(
      'propagate content',
      'a fragment beyond its count',
      encodeCanonical(['chat', new Uint8Array(1), new Uint8Array(8), 2, 2]),
    ),
    refused('http answer', "another server's", utf8('<html>404</html>')),
    refused('http answer', 'an offset of 2^53', '505601 00 0020000000000000'),
    refused('text of a peer id', 'a group id', utf8(`urn:pipevine:group:${'a'.repeat(52)}`), 'invalid-argument'),
    refused(
      'join code',
      'one character changed',
      utf8('BAAAQ-EAYEA-UDAOC-AJBIF-QYDIO-B6AID-AUDQS-CYNB4-IREFK'),
      'invalid-argument',
    ),
  ],
};
