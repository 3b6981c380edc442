import assert from 'node:assert/strict';
import { decodeRouteBody, encodeRouteBody } from '../../../runtime/advertisement/route-body.ts';
import { decodePipeReport, encodePipeReport, type PipeReport } from '../../../runtime/pipe/pipe-report.ts';
import { askingForRelay, readRelayedHead, readRelayedPath, throughRelay } from '../../../runtime/pipe/relayed-path.ts';
import { encodeSessionField } from '../../../runtime/pipe/session-field.ts';
import * as codec from '../../../runtime/relay/relay-codec.ts';
import * as route from '../../../runtime/router/route-codec.ts';
import { asJson } from '../as-json.ts';
import { ALICE, AUTHORITY, BOB, filled } from '../cast.ts';
import { codecVector } from '../codec-vector.ts';
import { fromHex, toHex } from '../hex.ts';
import type { Vector, VectorSet } from '../vector-set.ts';
import { NEIGHBOURS_ADVERTISEMENT, PEER_ADVERTISEMENT, ROUTE_ADVERTISEMENT } from './advertisements.ts';

const leaseId = filled(8, 0x1e);
const REQUEST = { encode: codec.encodeRelayRequest, decode: codec.decodeRelayRequest, cddl: 'relay-request' };
const REPORT = { encode: encodePipeReport, decode: decodePipeReport, cddl: 'pipe-report' };
const ROUTE_ANSWER = { encode: route.encodeRouteAnswer, decode: route.decodeRouteAnswer, cddl: 'route-answer' };

/** The session member of a relayed BIND or BOUND: what a relay reads of it, and what is left for the other end. */
function head(name: string, session: Uint8Array): Vector {
  const read = (bytes: Uint8Array) => ({ ...readRelayedHead(bytes), session: readRelayedPath(bytes).session });
  return {
    data: { name, value: asJson(read(session)), bytes: toHex(session) },
    check: (data) => assert.deepEqual(asJson(read(fromHex(data.bytes))), data.value),
  };
}
const begin = encodeSessionField({ type: 'new', message: filled(4, 0x0b) });
const moved = encodeSessionField({ type: 'resume', proof: { counter: 1, mac: filled(32, 0x0d) } });
const asking = askingForRelay(begin, 65_000);
const three = askingForRelay(moved, 65_000, [AUTHORITY.id, BOB.id]);

const report: PipeReport = { next: 17, limit: 65_536, ranges: [] };

export const RELAY: VectorSet = {
  name: 'relay',
  description:
    'Leases at a relay, the body of a route, the head of a session over relays, questions for routes and their answers, and what sealed acknowledgements say (sealed: pipes.json). The BIND and BOUND around such a head are in frames.json, route advertisements in advertisements.json.',
  document: 'docs/protocol/relay.md',
  cddl: 'relay.cddl',
  vectors: [
    codecVector({
      name: 'lease',
      value: { type: 'lease' as const, leaseId: undefined, lifetimeMs: 600_000 },
      ...REQUEST,
    }),
    codecVector({
      name: 'lease, to renew',
      value: { type: 'lease' as const, leaseId, lifetimeMs: 600_000 },
      ...REQUEST,
    }),
    codecVector({ name: 'cancel', value: { type: 'cancel' as const, leaseId }, ...REQUEST }),
    codecVector({
      name: 'grant',
      value: { leaseId, lifetimeMs: 600_000 },
      encode: codec.encodeRelayGrant,
      decode: codec.decodeRelayGrant,
      cddl: 'relay-answer',
    }),
    codecVector({
      name: 'body of a route',
      value: { relays: [BOB.id, AUTHORITY.id] },
      encode: encodeRouteBody,
      decode: decodeRouteBody,
      cddl: 'route-body',
    }),
    codecVector({
      name: 'body of a route, of a relay that is linked to no other',
      value: { relays: [] },
      encode: encodeRouteBody,
      decode: decodeRouteBody,
      cddl: 'route-body',
    }),
    head('head: BIND that each relay finds the next for', asking),
    head('head: the same behind the second relay', throughRelay(throughRelay(asking, 1_155), 60_000)),
    head('head: BIND that names the second and the third relay', three),
    head(
      'head: the same behind the third',
      [1_155, 523, 60_000].reduce((session, bytes) => throughRelay(session, bytes), three),
    ),
    head('head: BIND over the first relay and no other', askingForRelay(begin, 65_000, [])),
    head('head: BOUND behind the relay that is next to the acceptor', throughRelay(begin, 1_155)),
    codecVector({
      name: 'question for a route',
      value: ALICE.id,
      encode: route.encodeRouteQuery,
      decode: route.decodeRouteQuery,
      cddl: 'route-query',
    }),
    codecVector({
      name: 'answer about a route',
      value: [ROUTE_ADVERTISEMENT, NEIGHBOURS_ADVERTISEMENT, PEER_ADVERTISEMENT],
      ...ROUTE_ANSWER,
    }),
    codecVector({ name: 'answer of who knows nothing', value: [], ...ROUTE_ANSWER }),
    codecVector({ name: 'acknowledgement', value: report, ...REPORT }),
    codecVector({
      name: 'acknowledgement with ranges',
      value: {
        ...report,
        ranges: [
          [19, 19],
          [24, 300],
        ] as const,
      },
      ...REPORT,
    }),
    codecVector({ name: 'acknowledgement that asks for one', value: { ...report, asks: true }, ...REPORT }),
    codecVector({ name: 'farewell', value: { ...report, ended: 'done' }, ...REPORT }),
    codecVector({
      name: 'farewell after an error, with ranges',
      value: { ...report, ranges: [[19, 24]] as const, ended: 'internal' },
      ...REPORT,
    }),
  ],
};
