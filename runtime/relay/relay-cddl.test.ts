import { readFileSync } from 'node:fs';
import { decode } from 'cborg';
import { expect, test } from 'vitest';
import { Cddl } from '../../test/vectors/cddl.ts';
import { encodeRouteBody } from '../advertisement/route-body.ts';
import { peerIdFromBytes } from '../id/peer-id.ts';
import { encodePipeReport } from '../pipe/pipe-report.ts';
import { encodeRouteAnswer, encodeRouteQuery } from '../router/route-codec.ts';
import { DONE_ANSWER, encodeRelayGrant, encodeRelayRequest } from './relay-codec.ts';

const cddl = new Cddl(readFileSync(new URL('../../docs/protocol/relay.cddl', import.meta.url), 'utf8'));
/** An independent decoder, so that what is written here is CBOR for others too. */
const independently = (bytes: Uint8Array) => decode(bytes, { useMaps: true, strict: true });

const leaseId = new Uint8Array(8);
const relay = peerIdFromBytes(new Uint8Array(32).fill(1));

test.each<[string, Uint8Array]>([
  ['lease', encodeRelayRequest({ type: 'lease', leaseId, lifetimeMs: 600_000 })],
  ['lease', encodeRelayRequest({ type: 'lease', leaseId: undefined, lifetimeMs: 0 })],
  ['cancel', encodeRelayRequest({ type: 'cancel', leaseId })],
  ['grant', encodeRelayGrant({ leaseId, lifetimeMs: 600_000 })],
  ['done', DONE_ANSWER],
  ['route-body', encodeRouteBody({ relays: [] })],
  ['route-body', encodeRouteBody({ relays: [relay, relay] })],
  ['route-query', encodeRouteQuery(relay)],
  ['route-answer', encodeRouteAnswer([])],
  ['route-answer', encodeRouteAnswer([new Uint8Array(200), new Uint8Array(9)])],
  ['pipe-report', encodePipeReport({ next: 3, limit: 2 ** 40, ranges: [] })],
  ['pipe-report', encodePipeReport({ next: 3, limit: 9, ranges: [[5, 6]] })],
  ['pipe-report', encodePipeReport({ next: 3, limit: 9, ranges: [], ended: 'done' })],
  ['pipe-report', encodePipeReport({ next: 3, limit: 9, ranges: [], asks: true })],
])('the CDDL describes %s', (rule, encoded) => {
  const value = independently(encoded);
  expect(cddl.matches(rule, value)).toBe(true);
  expect(cddl.matches(rule === 'pipe-report' ? 'route-body' : 'pipe-report', value)).toBe(false);
});
