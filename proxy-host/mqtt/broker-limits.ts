import { PipevineError } from '@pipevine/runtime';

/** Every bound of the embedded broker. All are positive integers. */
export interface BrokerLimits {
  /** Largest packet that a client may send, fixed header excluded. Refused when its length is seen, before a byte of it is kept. */
  readonly maxPacketBytes: number;
  /** Bytes of packets that are still arriving, all clients together. */
  readonly maxPartialBytes: number;
  readonly maxClients: number;
  readonly maxClientsPerAddress: number;
  readonly maxClientIdLength: number;
  /** From the TCP connection to a complete CONNECT. */
  readonly connectTimeoutMs: number;
  /** From the first byte of a packet to its last. */
  readonly packetTimeoutMs: number;
  readonly maxTopicLevels: number;
  readonly maxTopicBytes: number;
  readonly maxSubscriptionsPerClient: number;
  /** Bytes waiting for one client's socket above which QoS 0 messages to it are dropped. */
  readonly maxOutgoingBytes: number;
  /** Bytes waiting for one client's socket above which it is disconnected when a QoS 1 or 2 message comes for it. */
  readonly maxOutgoingBytesAcknowledged: number;
  /** Bytes waiting for all sockets together; above it a client may hold a sixteenth of its own share. */
  readonly maxOutgoingBytesTotal: number;
  /** A socket that takes nothing for this long, while something waits for it, is closed. */
  readonly stuckTimeoutMs: number;
  /** QoS 2 messages of one client between PUBLISH and PUBREL. */
  readonly maxInflightPerClient: number;
  readonly maxRetainedMessages: number;
  readonly maxRetainedBytes: number;
  /** Sessions that outlive their connection (clean session off). */
  readonly maxSessions: number;
  /** Messages waiting for one session; the oldest is dropped for a new one. */
  readonly maxQueuedMessages: number;
  readonly maxQueuedBytes: number;
  /** Bytes waiting for all sessions together. */
  readonly maxQueuedBytesTotal: number;
  /** A session ends this long after its client left; a message waits no longer either. */
  readonly sessionLifetimeMs: number;
  /** Logins being checked at one time. */
  readonly maxPendingLogins: number;
  /** A refused login is answered this much later, so that guessing is slow. */
  readonly refusedLoginDelayMs: number;
}

const MIB = 1024 * 1024;

export const BROKER_DEFAULTS: BrokerLimits = {
  maxPacketBytes: MIB, // a camera picture fits; a device description is below 64 KiB
  maxPartialBytes: 64 * MIB, // 64 clients in the middle of a largest packet
  maxClients: 1_000,
  maxClientsPerAddress: 500, // half: one machine gone wrong leaves room for the others
  maxClientIdLength: 256,
  connectTimeoutMs: 10_000, // a sleepy ESP8266 on bad Wi-Fi needs 2 s
  packetTimeoutMs: 60_000, // 1 MiB at 20 KB/s
  maxTopicLevels: 16, // the deepest conventions (Sparkplug, Homie, nested Zigbee2MQTT names) use 5 to 9
  maxTopicBytes: 1_024,
  maxSubscriptionsPerClient: 20_000, // one exact filter a retained message: a home automation server does that
  maxOutgoingBytes: MIB,
  maxOutgoingBytesAcknowledged: 8 * MIB,
  maxOutgoingBytesTotal: 64 * MIB,
  stuckTimeoutMs: 30_000,
  maxInflightPerClient: 1_000,
  maxRetainedMessages: 20_000,
  maxRetainedBytes: 64 * MIB,
  maxSessions: 1_000,
  maxQueuedMessages: 1_000,
  maxQueuedBytes: 16 * MIB,
  maxQueuedBytesTotal: 64 * MIB,
  sessionLifetimeMs: 7 * 24 * 3_600_000,
  maxPendingLogins: 16, // scrypt takes 16 MiB and 50 ms each
  refusedLoginDelayMs: 1_000,
};

/** Fills in the defaults. Throws `invalid-argument` for a limit that is not a positive integer. */
export function brokerLimits(init: Partial<BrokerLimits> = {}): BrokerLimits {
  const limits = { ...BROKER_DEFAULTS, ...init };
  for (const [name, value] of Object.entries(limits)) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new PipevineError('invalid-argument', `broker limit ${name}: expected a positive integer, got ${value}`);
    }
  }
  return limits;
}
