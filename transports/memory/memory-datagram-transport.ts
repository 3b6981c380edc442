import {
  type Connection,
  type DialOptions,
  type EndpointAddress,
  PipevineError,
  type Transport,
  type TransportListener,
} from '@pipevine/runtime';
import { parseMemoryAddress } from './memory-address.ts';
import { MEMORY_DATAGRAM_SCHEME, MemoryDatagramSocket } from './memory-datagram-socket.ts';
import type { MemoryProcess } from './memory-process.ts';
import { ownMemoryAddress } from './own-memory-address.ts';

/** Packets of the memory network: `memd://host` and `memd://host:port`, at most 1,200 bytes each. */
export class MemoryDatagramTransport implements Transport {
  readonly schemes: readonly string[] = [MEMORY_DATAGRAM_SCHEME];
  readonly #process: MemoryProcess;

  constructor(process: MemoryProcess) {
    this.#process = process;
  }

  /** Resolves at once: nothing is sent until something is written, so nothing says whether anybody listens. */
  async dial(address: EndpointAddress, options?: DialOptions): Promise<Connection> {
    const target = parseMemoryAddress(MEMORY_DATAGRAM_SCHEME, address);
    if (target.host === '*' || target.port === 0) {
      throw new PipevineError('invalid-address', `${address} can be listened on, not dialled: name a host and a port.`);
    }
    if (options?.signal?.aborted) {
      throw new PipevineError('aborted', `The caller gave up dialling ${address}.`, { cause: options.signal.reason });
    }
    const { host } = this.#process;
    return new MemoryDatagramSocket(this.#process, host.freePort(host.datagramSockets)).connect(address);
  }

  async listen(address: EndpointAddress, onConnection: (connection: Connection) => void): Promise<TransportListener> {
    const { host } = this.#process;
    const port = ownMemoryAddress(MEMORY_DATAGRAM_SCHEME, address, host, host.datagramSockets);
    const socket = new MemoryDatagramSocket(this.#process, port, onConnection);
    return { addresses: [socket.address], close: async () => socket.stopListening() };
  }
}
