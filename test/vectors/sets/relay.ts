import { decodeRouteBody, encodeRouteBody } from '../../../runtime/advertisement/route-body.ts';
import { decodePipeReport, encodePipeReport, type PipeReport } from '../../../runtime/pipe/pipe-report.ts';
import * as codec from '../../../runtime/relay/relay-codec.ts';
import { AUTHORITY, BOB, filled } from '../cast.ts';
import { codecVector } from '../codec-vector.ts';
import type { VectorSet } from '../vector-set.ts';

const leaseId = filled(8, 0x1e);
const REQUEST = { encode: codec.encodeRelayRequest, decode: codec.decodeRelayRequest, cddl: 'relay-request' };
const REPORT = { encode: encodePipeReport, decode: decodePipeReport, cddl: 'pipe-report' };
const report: PipeReport = { next: 17, limit: 65_536, ranges: [] };

export const RELAY: VectorSet = {
  name: 'relay',
  description:
    'Leases at a relay, the body of a route, and what sealed acknowledgements say (sealed: pipes.json). Relayed BIND and BOUND are in frames.json.',
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
    codecVector({ name: 'the last acknowledgement', value: { ...report, ended: 'done' }, ...REPORT }),
  ],
};
