/** How the path from one host to another behaves. Probabilities are from 0 to 1. */
export interface NetworkConditions {
  /** Time from one host to the other. */
  readonly delayMs: number;
  /** Extra time, drawn evenly from 0 to this for each packet. */
  readonly jitterMs: number;
  /** Probability that a packet is lost. A stream loses nothing: what is lost arrives `retransmitMs` later. */
  readonly loss: number;
  /** Probability that a packet arrives twice. */
  readonly duplication: number;
  /** Probability that a packet is held back by up to `reorderMs`, so that later ones overtake it. */
  readonly reordering: number;
  readonly reorderMs: number;
  /** Probability that one bit of a packet is flipped. Streams have checksums. */
  readonly corruption: number;
  /** Probability that one write to a stream arrives in two parts. */
  readonly cutting: number;
  readonly bytesPerSecond: number;
  /** What waits for a slow path beyond this is dropped (packets); streams wait at the sender. */
  readonly queueBytes: number;
  /** Packets beyond this vanish without a word, as in a path whose routers say nothing. */
  readonly maxPacketBytes: number;
  /** How much later a lost part of a stream arrives. */
  readonly retransmitMs: number;
}

/** A quiet LAN: 1 ms and no faults. */
export const QUIET_LAN: NetworkConditions = {
  delayMs: 1,
  jitterMs: 0,
  loss: 0,
  duplication: 0,
  reordering: 0,
  reorderMs: 20,
  corruption: 0,
  cutting: 0,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  queueBytes: 256 * 1024,
  maxPacketBytes: Number.POSITIVE_INFINITY,
  retransmitMs: 200,
};

/** Between processes of one host: no faults. */
export const SAME_HOST: NetworkConditions = { ...QUIET_LAN, delayMs: 0.05 };
