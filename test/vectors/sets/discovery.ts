import { nodeCrypto } from '@pipevine/transports';
import { decodeItem, decodeQuery, encodeItem, encodeQuery } from '../../../runtime/discovery/discovery-codec.ts';
import { groupTag } from '../../../runtime/discovery/group-tag.ts';
import { decodeLocalMessage, encodeLocalMessage } from '../../../runtime/discovery/local-packet-codec.ts';
import { ALICE, filled, GROUP } from '../cast.ts';
import { codecVector } from '../codec-vector.ts';
import type { VectorSet } from '../vector-set.ts';

const packet = {
  type: 'announce',
  peer: ALICE.id,
  addresses: ['tcp://:7473', 'udp://:7473', 'tcp://192.0.2.1:7473'],
  tags: [groupTag(nodeCrypto, GROUP, ALICE.id)],
  gateway: true,
  admits: true,
} as const;
const plain = { kind: 'thing', limit: 1_000, watch: false, proofs: false, walk: false } as const;
const PACKET = { encode: encodeLocalMessage, decode: decodeLocalMessage, cddl: 'local-packet' };
const QUERY = { encode: encodeQuery, decode: decodeQuery, cddl: 'query' };
const ITEM = { encode: encodeItem, decode: decodeItem, cddl: 'item' };

export const DISCOVERY: VectorSet = {
  name: 'discovery',
  description:
    'Packets of the local network, and queries and answers of the handler `discovery`. The advertisements are made up.',
  document: 'docs/protocol/discovery.md',
  cddl: 'discovery.cddl',
  vectors: [
    codecVector({ name: 'packet: announce', value: packet, ...PACKET }),
    codecVector({
      name: 'packet: query',
      value: { ...packet, type: 'query' as const, gateway: false, admits: false },
      ...PACKET,
    }),
    codecVector({
      name: 'packet: leaving',
      value: { ...packet, type: 'leaving' as const, addresses: [], tags: [] },
      ...PACKET,
    }),
    codecVector({ name: 'query for things', value: plain, ...QUERY }),
    codecVector({
      name: 'query with everything',
      value: {
        ...plain,
        watch: true,
        proofs: true,
        walk: true,
        publisher: ALICE.id,
        key: 'lamp',
        name: 'Hall*',
        attributes: { connector: 'mqtt' },
      },
      ...QUERY,
    }),
    codecVector({
      name: 'item: advertisements',
      value: { type: 'advertisements' as const, encoded: [filled(3, 0xad), filled(5, 0xae)] },
      ...ITEM,
    }),
    codecVector({ name: 'item: end', value: { type: 'end' as const, complete: true }, ...ITEM }),
  ],
};
