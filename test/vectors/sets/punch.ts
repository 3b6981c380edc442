import assert from 'node:assert/strict';
import { decodeProbe, encodeProbe } from '../../../runtime/punch/probe-packet.ts';
import * as codec from '../../../runtime/punch/punch-codec.ts';
import { asJson } from '../as-json.ts';
import { filled } from '../cast.ts';
import { codecVector } from '../codec-vector.ts';
import { fromHex, toHex } from '../hex.ts';
import type { VectorSet } from '../vector-set.ts';

const token = filled(16, 0x70);
const addresses = ['udp://192.0.2.1:7473', 'udp://[2001:db8::1]:7473'];
const ANSWER = { decode: codec.decodeObserveAnswer };
const OFFER = { encode: codec.encodeOffer, decode: codec.decodeOffer, cddl: 'offer' };

export const PUNCH: VectorSet = {
  name: 'punch',
  description: 'What peers behind NATs ask relays and tell each other, and the packet by which they try a way.',
  document: 'docs/protocol/punch.md',
  cddl: 'punch.cddl',
  vectors: [
    {
      data: { name: 'a probe', token: toHex(token), bytes: toHex(encodeProbe(token)) },
      check: (data) => assert.equal(asJson(decodeProbe(fromHex(data.bytes)) ?? null), data.token),
    },
    {
      data: { name: 'observe', cddl: 'observe', bytes: toHex(codec.OBSERVE_REQUEST) },
      check: ({ bytes }) => codec.checkObserveRequest(fromHex(bytes)),
    },
    codecVector({
      name: 'ticket',
      value: { type: 'ticket' as const, token, addresses },
      encode: (ticket) => codec.encodeTicket(ticket.token, ticket.addresses),
      cddl: 'ticket',
      ...ANSWER,
    }),
    codecVector({
      name: 'observed',
      value: { type: 'observed' as const, address: 'udp://198.51.100.7:40000' },
      encode: ({ address }) => codec.encodeObserved(address),
      cddl: 'observed',
      ...ANSWER,
    }),
    codecVector({ name: 'offer', value: { token, candidates: addresses, mapping: 'independent' as const }, ...OFFER }),
    codecVector({
      name: 'offer without an address',
      value: { token, candidates: [], mapping: 'unknown' as const },
      ...OFFER,
    }),
  ],
};
