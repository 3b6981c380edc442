import { PipevineError, peerIdToBytes } from '@pipevine/runtime';
import { encodeCanonical } from '@pipevine/runtime/protocol';
import { seededRandom } from '@pipevine/transports';
import { decodeAdministrators } from '../../runtime/membership/who-admits.ts';
import * as stream from '../../runtime/pipe/stream-codec.ts';
import { decodeProbe, encodeProbe } from '../../runtime/punch/probe-packet.ts';
import * as punch from '../../runtime/punch/punch-codec.ts';
import * as route from '../../runtime/router/route-codec.ts';
import { BOB } from '../vectors/cast.ts';
import type { FuzzedCodec } from './fuzzed-codec.ts';

const random = seededRandom('path codecs');
const token = random.bytes(16);

/** What is read from others on the way to a peer, and of the streams that then run. */
export const PATH_CODECS: readonly FuzzedCodec[] = [
  {
    name: 'a question for a route',
    valid: [route.encodeRouteQuery(BOB.id)],
    decode: route.decodeRouteQuery,
    encode: route.encodeRouteQuery,
  },
  {
    name: 'an answer about a route',
    valid: [route.encodeRouteAnswer([random.bytes(40), token])],
    decode: route.decodeRouteAnswer,
  },
  {
    name: 'who admits to a group',
    valid: [encodeCanonical([peerIdToBytes(BOB.id)]), encodeCanonical([])],
    decode: decodeAdministrators,
  },
  {
    name: 'a probe',
    valid: [encodeProbe(token)],
    decode: (bytes) => {
      const read = decodeProbe(bytes);
      if (read === undefined) throw new PipevineError('malformed', 'No probe.');
      return read;
    },
    covers: [decodeProbe],
    encode: encodeProbe,
    isPlain: true,
  },
  {
    name: 'an answer to who wants to be observed',
    valid: [punch.encodeTicket(token, ['udp://192.0.2.1:7473']), punch.encodeObserved('udp://192.0.2.2:40000')],
    decode: punch.decodeObserveAnswer,
  },
  {
    name: 'an offer to punch',
    valid: [punch.encodeOffer({ token, candidates: ['udp://192.0.2.1:7473'], mapping: 'independent' })],
    decode: punch.decodeOffer,
    encode: punch.encodeOffer,
  },
  {
    name: 'a message of a stream',
    valid: [
      stream.encodeStreamMessage({ type: 'chunk', bytes: token }),
      stream.encodeStreamMessage({ type: 'end', totalBytes: 2 ** 40 }),
      stream.encodeStreamMessage({ type: 'failure', code: 'closed', message: 'no' }),
    ],
    decode: stream.decodeStreamMessage,
    encode: stream.encodeStreamMessage,
  },
];
