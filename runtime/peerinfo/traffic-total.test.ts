import { expect, it } from 'vitest';
import type { EndpointEvents } from '../endpoint/endpoint.ts';
import { peerIdFromBytes } from '../id/peer-id.ts';
import type { Link } from '../link/link.ts';
import { TrafficTotal } from './traffic-total.ts';

it('counts links that are open, were closed and were replaced, each once', () => {
  let events: EndpointEvents | undefined;
  const total = new TrafficTotal({
    subscribe: (given) => {
      events = given;
      return { unsubscribe: () => (events = undefined) };
    },
  });
  const link = (byte: number, bytesIn: number, bytesOut: number) =>
    // Of a link only its peer and its traffic are looked at.
    ({ remotePeer: peerIdFromBytes(new Uint8Array(32).fill(byte)), traffic: { bytesIn, bytesOut } }) as Link;
  const [first, second, other] = [link(1, 10, 1), link(1, 200, 20), link(2, 3_000, 300)];
  events?.onLinkUp(first);
  events?.onLinkUp(other);
  expect(total.total()).toEqual({ bytesIn: 3_010, bytesOut: 301 });
  events?.onLinkUp(second);
  expect(total.total()).toEqual({ bytesIn: 3_210, bytesOut: 321 });
  events?.onLinkDown(second);
  events?.onLinkDown(other);
  expect(total.total()).toEqual({ bytesIn: 3_210, bytesOut: 321 });
  total.close();
  expect(events).toBeUndefined();
});
