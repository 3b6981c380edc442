import type { PipevineError } from '../error/pipevine-error.ts';

/** Text of the form `scheme://rest`, for example `tcp://192.168.1.5:4001`, `tcp://[fe80::1%25eth0]:4001`, `mem://a`. */
export type EndpointAddress = string;

/** What a connection tells its owner. No callback comes before `start`, none after `onClosed`. */
export interface ConnectionHandler {
  /** Stream: the next bytes, cut anywhere. Datagram: one whole packet. The array is the handler's from now on. */
  onBytes(bytes: Uint8Array): void;
  /** What was written has drained below the low-water mark, after `write` had returned false. */
  onWritable(): void;
  /** Called exactly once; without an error when either side closed in good order. */
  onClosed(error?: PipevineError): void;
}

/** Bytes to and from one address, not yet authenticated. A stream keeps order and loses nothing; a datagram may do neither. */
export interface Connection {
  readonly kind: 'stream' | 'datagram';
  readonly localAddress: EndpointAddress;
  readonly remoteAddress: EndpointAddress;
  /** Largest packet of a datagram connection; Infinity for a stream. */
  readonly maxPacketBytes: number;
  /** Takes the handler; bytes that came earlier are delivered then. Called once. */
  start(handler: ConnectionHandler): void;
  /**
   * Writes the chunks as one run of bytes (a stream: in one system call where the platform can) or as one packet.
   * Takes ownership of the chunks. Returns false when the caller should wait for `onWritable`; they are queued all
   * the same, so the caller must stop: the queue is bounded by that obedience alone.
   */
  write(chunks: readonly Uint8Array[]): boolean;
  /** Stops `onBytes` until `resume`; back-pressure towards the sender where the transport has it. */
  pause(): void;
  resume(): void;
  /**
   * Datagrams: says that a packet from `onBytes` is not of this conversation. It goes to the next connection with the same
   * remote address; where there is none and `begins` says that it may begin a conversation, the listener gets a new one.
   * So a peer that restarted on its old port is met while the connection with its former life still stands.
   */
  decline?(packet: Uint8Array, begins: boolean): void;
  /** Flushes what was written, then closes. Idempotent. */
  close(): void;
  /** Closes at once and drops what was not yet sent. Idempotent. */
  abort(): void;
}

export interface TransportListener {
  /** The addresses that others can dial: a wildcard is expanded to those of the machine's interfaces, port 0 to the real port. */
  readonly addresses: readonly EndpointAddress[];
  close(): Promise<void>;
}

export interface DialOptions {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/** Which packets are probes, and who takes them. */
export interface ProbeInit {
  /** First byte of a probe; no packet of a link begins with it. */
  readonly mark: number;
  /** Length of a probe, in bytes. */
  readonly bytes: number;
  /** A probe came; `from` may be forged, so it must not be answered. The array is the callee's from now on. */
  onProbe(packet: Uint8Array, from: EndpointAddress): void;
}

/** Sends probes. */
export interface ProbePort {
  /**
   * Sends one from the listening sockets that a dial to that address would use, so that a NAT maps both alike. Best effort:
   * what cannot be sent, or names no numerical address, is dropped.
   */
  send(to: EndpointAddress, packet: Uint8Array): void;
  /** No probe is delivered any more. Idempotent. */
  close(): void;
}

/** Carries connections for one or more address schemes. */
export interface Transport {
  readonly schemes: readonly string[];
  /** Rejects with code `unreachable`, `timeout`, `aborted` or `invalid-address`. */
  dial(address: EndpointAddress, options?: DialOptions): Promise<Connection>;
  /** Rejects with code `address-in-use` (the message names the address), `invalid-address` or `permission-denied`. */
  listen(address: EndpointAddress, onConnection: (connection: Connection) => void): Promise<TransportListener>;
  /** Datagrams: single packets beside the connections, bounded in rate, by which peers behind NATs learn what comes through. */
  probes?(init: ProbeInit): ProbePort;
}
