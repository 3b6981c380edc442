import { connect as connectTcp, isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { PipevineError } from '@pipevine/runtime';
import type { BrokerUrl } from './broker-url.ts';
import { PacketScanner } from './packet-scanner.ts';
import { ScreenedStream } from './screened-stream.ts';

/** Where a broker is. */
export type BrokerPlace =
  | { readonly kind: 'network'; readonly url: BrokerUrl; readonly ca: string | undefined }
  | { readonly kind: 'in-process'; readonly openStream: () => Duplex };

export interface BrokerStreamInit {
  readonly place: BrokerPlace;
  readonly maxPacketBytes: number;
  readonly onOpened: () => void;
  /** A message was longer than `maxPacketBytes`: its bytes are dropped as they come. */
  readonly onTooLarge: () => void;
}

/** Opens a stream to a broker that keeps messages which are too large from being buffered. */
export function openBrokerStream(init: BrokerStreamInit): ScreenedStream {
  const scanner = new PacketScanner((firstByte, bodyBytes) => {
    if (bodyBytes <= init.maxPacketBytes) return 'pass';
    if (firstByte >> 4 !== 3) {
      throw new PipevineError('too-large', `the broker announced a packet of ${bodyBytes} bytes: is this MQTT?`);
    }
    init.onTooLarge();
    return 'drop';
  });
  return new ScreenedStream(open(init), { inbound: (bytes) => scanner.push(bytes) });
}

function open({ place, onOpened }: BrokerStreamInit): Duplex {
  if (place.kind === 'in-process') {
    const stream = place.openStream();
    onOpened();
    return stream;
  }
  const { host, port, tls } = place.url;
  if (!tls) return connectTcp({ host, port, noDelay: true }, onOpened);
  const servername = isIP(host) === 0 ? { servername: host } : {};
  return connectTls({ host, port, ...servername, ...(place.ca === undefined ? {} : { ca: place.ca }) }, onOpened);
}
