import {
  decodeInfoQuery,
  decodePeerInfo,
  encodeInfoQuery,
  encodePeerInfo,
} from '../../../runtime/peerinfo/peer-info-codec.ts';
import { BOB, GROUP } from '../cast.ts';
import { codecVector } from '../codec-vector.ts';
import type { VectorSet } from '../vector-set.ts';

const info = {
  name: 'gateway',
  version: '0.1.0',
  roles: ['gateway'],
  uptimeMs: 60_000,
  bytesIn: 1_000,
  bytesOut: 2_000,
  memoryBytes: undefined,
  linkCount: 2,
  groups: [GROUP],
  links: undefined,
};
const link = { peer: BOB.id, transport: 'tcp', address: 'tcp://192.0.2.1:7473' };
const ANSWER = { encode: encodePeerInfo, decode: decodePeerInfo, cddl: 'answer' };

export const PEER_INFO: VectorSet = {
  name: 'peer-info',
  description: 'The query of the handler `peerinfo` and its answer. `rttMs` is written in microseconds.',
  document: 'docs/protocol/peerinfo.md',
  cddl: 'peerinfo.cddl',
  vectors: [
    codecVector({
      name: 'query',
      value: { links: false },
      encode: encodeInfoQuery,
      decode: decodeInfoQuery,
      cddl: 'query',
    }),
    codecVector({
      name: 'query for the links too',
      value: { links: true },
      encode: encodeInfoQuery,
      decode: decodeInfoQuery,
      cddl: 'query',
    }),
    codecVector({ name: 'answer', value: info, ...ANSWER }),
    codecVector({
      name: 'answer with memory and links',
      value: {
        ...info,
        memoryBytes: 45_000_000,
        links: [
          { ...link, rttMs: 0.5 },
          { ...link, rttMs: undefined },
        ],
      },
      ...ANSWER,
    }),
  ],
};
