import {
  type Connection,
  type DialOptions,
  type EndpointAddress,
  PipevineError,
  type Transport,
  type TransportListener,
} from '@pipevine/runtime';
import { watchDial } from '../dial-deadline.ts';
import { type MemoryAddress, memoryAddressText, parseMemoryAddress } from './memory-address.ts';
import type { MemoryProcess } from './memory-process.ts';
import { MemoryStream } from './memory-stream.ts';
import { ownMemoryAddress } from './own-memory-address.ts';

export const MEMORY_STREAM_SCHEME = 'mem';

/** A dial whose path carries nothing is tried again after these times, as TCP does. */
const RETRY_MS = [1000, 2000, 4000, 8000, 16_000];

/** How long a machine that is off is looked for, as in ARP. */
const ADDRESS_RESOLUTION_MS = 3000;

export interface MemoryStreamListener {
  readonly process: MemoryProcess;
  readonly onConnection: (connection: Connection) => void;
}

/** Streams of the memory network: `mem://host` and `mem://host:port`. */
export class MemoryStreamTransport implements Transport {
  readonly schemes: readonly string[] = [MEMORY_STREAM_SCHEME];
  readonly #process: MemoryProcess;

  constructor(process: MemoryProcess) {
    this.#process = process;
  }

  async dial(address: EndpointAddress, options?: DialOptions): Promise<Connection> {
    const target = parseMemoryAddress(MEMORY_STREAM_SCHEME, address);
    if (target.host === '*' || target.port === 0) {
      throw new PipevineError('invalid-address', `${address} can be listened on, not dialled: name a host and a port.`);
    }
    return new Promise((resolve, reject) => {
      let over = false;
      const watch = watchDial(this.#process.clock, address, options, (error) => {
        over = true;
        reject(error);
      });
      const settle = (connection: MemoryStream | undefined): void => {
        if (over || !this.#process.alive) {
          connection?.abort();
          return;
        }
        over = true;
        watch.settle();
        if (connection !== undefined) resolve(connection);
        else reject(new PipevineError('unreachable', `Nobody listens on ${address}. Check that the peer runs.`));
      };
      this.#try(target, address, 0, () => over, settle);
    });
  }

  async listen(address: EndpointAddress, onConnection: (connection: Connection) => void): Promise<TransportListener> {
    const { host } = this.#process;
    const port = ownMemoryAddress(MEMORY_STREAM_SCHEME, address, host, host.streamListeners);
    const listener: MemoryStreamListener = { process: this.#process, onConnection };
    host.streamListeners.set(port, listener);
    return {
      addresses: [memoryAddressText(MEMORY_STREAM_SCHEME, host.name, port)],
      close: async () => {
        if (host.streamListeners.get(port) === listener) host.streamListeners.delete(port);
      },
    };
  }

  #try(
    target: MemoryAddress,
    address: EndpointAddress,
    attempt: number,
    isOver: () => boolean,
    settle: (connection: MemoryStream | undefined) => void,
  ): void {
    const { network, name } = this.#process.host;
    const { clock } = network;
    const thereMs = (network.arrivalMs(name, target.host, 0, false) ?? 0) - clock.monotonicMs();
    const { delayMs: backMs } = network.conditionsOf(target.host, name);
    clock.setTimer(thereMs, () => {
      if (isOver() || !this.#process.alive) return;
      const remoteHost = network.findHost(target.host);
      const lost = network.isBlocked(name, target.host) || network.isBlocked(target.host, name);
      if (lost || network.chance(network.conditionsOf(name, target.host).loss)) {
        const retryMs = RETRY_MS[attempt];
        if (retryMs !== undefined) {
          clock.setTimer(retryMs, () => this.#try(target, address, attempt + 1, isOver, settle));
        }
        return;
      }
      const listener = remoteHost?.streamListeners.get(target.port);
      if (listener === undefined) {
        // A machine that runs refuses at once; one that does not is given up as a LAN gives up an address.
        clock.setTimer(remoteHost?.powered === true ? backMs : ADDRESS_RESOLUTION_MS, () => settle(undefined));
        return;
      }
      const ownAddress = memoryAddressText(MEMORY_STREAM_SCHEME, name, this.#process.host.freePort(new Set()));
      const own = new MemoryStream(this.#process, ownAddress, address);
      const remote = new MemoryStream(listener.process, address, ownAddress);
      MemoryStream.connect(own, remote);
      clock.setTimer(backMs, () => settle(own));
      listener.onConnection(remote);
    });
  }
}
