import type { Clock, EndpointAddress, PipevineError, Random } from '@pipevine/runtime';

/** What a broker asks of its clients. */
export interface BrokerLogin {
  readonly username?: string;
  readonly password?: string;
  /** PEM text of the authority that signed the certificate of an `mqtts` broker; absent: those that Node trusts. */
  readonly ca?: string;
}

export interface MqttTransportInit {
  /** Logins by broker, `mqtt://host` or `mqtts://host:8884`: a login is shown to no other broker, whoever names one in an address. */
  readonly logins?: ReadonlyMap<string, BrokerLogin>;
  /** 32 bytes, for instance derived from the peer's identity: gives listeners the same ids after a restart. Default: random. */
  readonly listenerSeed?: Uint8Array;
  /**
   * With it `listen` waits for no broker: it takes effect when the broker can be reached, and this is told once why it cannot
   * yet. Without it `listen` rejects then.
   */
  readonly onListenWaits?: (address: EndpointAddress, error: PipevineError) => void;
  readonly limits?: Partial<MqttLimits>;
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface MqttLimits {
  /** Payload bytes in one MQTT message, 1 to 65,000. Default: 16 KiB, below what any broker refuses, and 0.3 % overhead. */
  readonly frameBytes: number;
  /**
   * Bytes that a session keeps for a reader that pauses, at least 16 KiB; it grants the sender no more. Default: 256 KiB, which gives 6 MB/s
   * where broker and machine delay acknowledgements by 40 ms; 256 sessions that nobody reads fill 64 MiB.
   */
  readonly receiveBytes: number;
  /** `write` asks to stop when this much is unacknowledged. Default: 512 KiB, two windows of the other side. */
  readonly sendBytes: number;
  /** Sessions open at once, in both directions, over all brokers. Default: 256. */
  readonly maxSessions: number;
  /** Greetings that a listener has answered and that are not confirmed. The oldest gives way. Default: 128. */
  readonly maxPending: number;
  /** A greeting costs a key agreement and a subscription: so many a second are answered, after ... Default: 32. */
  readonly greetingsPerSecond: number;
  /** ... so many at once. Default: 128. */
  readonly greetingBurst: number;
  /** A greeting that is not confirmed by then is forgotten. Default: 10,000, a dial's own time. */
  readonly pendingMs: number;
  /** Brokers connected to at once. Default: 8. */
  readonly maxBrokers: number;
  /** Bytes that wait for a broker's socket before sessions hold back. Default: 512 KiB. */
  readonly brokerQueueBytes: number;
  /** The connection with a broker that nobody uses is closed after so long. Default: 1,000. */
  readonly lingerMs: number;
  /** The broker has so long to accept a connection. Default: 8,000. */
  readonly connectMs: number;
  /** MQTT keep-alive in seconds: a dead connection shows after one and a half. Default: 10. */
  readonly keepAliveSeconds: number;
  /** First and longest wait before connecting again, jittered. Default: 250 and 5,000. */
  readonly backoffFirstMs: number;
  readonly backoffMaxMs: number;
  /** Sessions end when the broker is away for so long: with the keep-alive, 30 s after the cut at most. Default: 14,000. */
  readonly brokerAwayMs: number;
  /** A session ends when the other side owes an answer and says nothing for so long. Default: 20,000. */
  readonly silenceMs: number;
  /** A session that has closed waits so long for the other side to confirm. Default: 8,000, time for four answers to get lost. */
  readonly closeMs: number;
}

export const MQTT_DEFAULTS: MqttLimits = {
  frameBytes: 16 * 1024,
  receiveBytes: 256 * 1024,
  sendBytes: 512 * 1024,
  maxSessions: 256,
  maxPending: 128,
  greetingsPerSecond: 32,
  greetingBurst: 128,
  pendingMs: 10_000,
  maxBrokers: 8,
  brokerQueueBytes: 512 * 1024,
  lingerMs: 1000,
  connectMs: 8000,
  keepAliveSeconds: 10,
  backoffFirstMs: 250,
  backoffMaxMs: 5000,
  brokerAwayMs: 14_000,
  silenceMs: 20_000,
  closeMs: 8000,
};

export interface MqttCounters {
  /** Sessions that are open. */
  open: number;
  accepted: number;
  dialled: number;
  /** Connections that brokers have accepted. */
  brokerConnections: number;
  /** Greetings beyond the rate, or while `maxSessions` were open. */
  greetingsRefused: number;
  /** Unconfirmed greetings that gave way or ran out of time. */
  pendingDropped: number;
  /** Messages that are no frame of ours, or whose tag is wrong. */
  forged: number;
  /** Frames that carried bytes which had come already: repeated by somebody else or sent again. */
  duplicates: number;
  /** Frames that came after one that was lost. */
  gaps: number;
  /** Frames beyond the window that was granted. */
  beyondWindow: number;
  /** Times that a session went back and sent again. */
  resent: number;
  /** Messages of the broker that were longer than any of ours. */
  tooLarge: number;
  /** Retained messages, which are never read. */
  retained: number;
}

export function noMqttCounts(): MqttCounters {
  return {
    open: 0,
    accepted: 0,
    dialled: 0,
    brokerConnections: 0,
    greetingsRefused: 0,
    pendingDropped: 0,
    forged: 0,
    duplicates: 0,
    gaps: 0,
    beyondWindow: 0,
    resent: 0,
    tooLarge: 0,
    retained: 0,
  };
}
