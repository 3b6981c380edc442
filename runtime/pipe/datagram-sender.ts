import type { Clock, Timer } from '../platform/clock.ts';
import type { BulkFlight, BulkWindow } from './bulk-window.ts';
import { CongestionControl } from './congestion-control.ts';
import type { Acknowledgement, FrameCarrier, FrameSender, PumpResult } from './frame-carrier.ts';
import type { Credit } from './ordered-sender.ts';
import { Pacer } from './pacer.ts';
import { FRAME_COST_BYTES } from './pipe-defaults.ts';
import { RoundTrip } from './round-trip.ts';
import type { SendBuffer } from './send-buffer.ts';

/** A packet is lost when one sent so many packets later was acknowledged (RFC 9002 section 6.1.1). */
const PACKET_THRESHOLD = 3;

/** Probes come in pairs, so that one of the two and its ACK get through a path that loses much (RFC 9002 section 6.2.4). */
const PROBES_A_TIMEOUT = 2;

/** What part of the round trip lies between the two: enough that they do not share a packet, or a burst of losses. */
const PROBE_SPACING = 1 / 8;

/** Timeouts in vain after which the path counts as congested for long. */
const PERSISTENT_TIMEOUTS = 3;

/** A timer set for a moment may read a time that is short of it by rounding. */
const ROUNDING_MS = 0.001;

/** A timer that comes so much later, in ms, tells of a busy process: what has come meanwhile is read before it counts. */
const LATE_MS = 1;

const EMPTY = new Uint8Array(0);

/** One frame on its way. */
interface Flight {
  /** Number of the packet that took it, as far as can be told: a record is not seen here. */
  readonly packet: number;
  readonly sentMs: number;
  readonly cost: number;
  /** Of a frame that was sent before: the packet that took it then. Its acknowledgement may be for that, and measures nothing. */
  readonly before: number | undefined;
  /** Of a bulk pipe. */
  readonly bulk: { readonly window: BulkWindow; readonly mark: BulkFlight } | undefined;
}

/** Over a link that loses and reorders: numbers every frame, detects losses, sends again (RFC 9002), within congestion control. */
export class DatagramSender implements FrameSender {
  readonly #buffer: SendBuffer;
  readonly #carrier: FrameCarrier;
  readonly #credit: Credit;
  readonly #clock: Clock;
  readonly #congestion: CongestionControl;
  readonly #roundTrip = new RoundTrip();
  readonly #pacer: Pacer;
  /** In the order in which they were sent last. */
  readonly #flights = new Map<number, Flight>();
  /** Frames beyond the buffer's first that the other side has. */
  readonly #received = new Set<number>();
  #lost: number[] = [];
  /** Packets that took lost frames the first time. */
  readonly #lostPackets = new Map<number, number>();
  #next: number;
  #packet = 0;
  #packetBytes = 0;
  #turnOpen = false;
  #largestAcknowledged = -1;
  #probes = 0;
  /** Bytes that a probe may send beyond the congestion window. */
  #probeBytes = 0;
  #wasLimited = false;
  /** When the probe timeout began to run: at the last frame sent, the last ACK, the last probe. */
  #armedMs: number;
  #timer: Timer | undefined;
  #deadlineMs = 0;
  #wasLate = false;
  /** Set while the pacer holds something back. */
  #paceTimer: Timer | undefined;
  #stopped = false;

  constructor(buffer: SendBuffer, carrier: FrameCarrier, credit: Credit, clock: Clock) {
    this.#buffer = buffer;
    this.#carrier = carrier;
    this.#credit = credit;
    this.#clock = clock;
    this.#congestion = new CongestionControl(carrier.maxPayloadBytes);
    this.#next = buffer.first;
    this.#armedMs = clock.monotonicMs();
    this.#pacer = new Pacer(carrier.maxPayloadBytes, this.#armedMs);
  }

  get sentTo(): number {
    return this.#next;
  }

  queued(): void {
    if (this.#carrier.blocked) return this.#carrier.wantTurn();
    if (this.pump(Infinity) === 'link') this.#carrier.wantTurn();
  }

  pump(turnBytes: number): PumpResult {
    let left = turnBytes;
    let result: PumpResult = 'idle';
    this.#wasLimited = false;
    for (;;) {
      const sequence = this.#nextToSend();
      if (sequence === undefined) break;
      if (this.#carrier.blocked) {
        result = 'link';
        break;
      }
      if (left <= 0) {
        result = 'turn';
        break;
      }
      const { window } = this.#carrier;
      if (window?.hasRoom === false && this.#probeBytes <= 0) {
        window.wait(this.#carrier);
        result = 'credit';
        break;
      }
      if (!this.#congestion.hasRoom && this.#probeBytes <= 0) {
        this.#wasLimited = true;
        result = 'credit';
        break;
      }
      if (sequence === this.#next && this.#buffer.costBefore(sequence) + this.#costOf(sequence) > this.#credit.limit) {
        result = 'credit';
        break;
      }
      if (this.#probeBytes <= 0 && this.#mustWait(sequence)) {
        // Without pacing the window would be full (RFC 9002 section 7.8).
        this.#wasLimited = true;
        result = 'credit';
        break;
      }
      left -= this.#send(sequence);
    }
    this.#setTimer();
    return result;
  }

  acknowledged(acknowledgement: Acknowledgement): void {
    const now = this.#clock.monotonicMs();
    this.#armedMs = now;
    this.#wasLate = false;
    // The other side may have got more over the path before this one.
    this.#next = Math.max(this.#next, this.#buffer.first);
    let newest: Flight | undefined;
    const arrived: Flight[] = [];
    let largest = this.#largestAcknowledged;
    for (const [sequence, flight] of this.#flights) {
      // Frames are few: the congestion window bounds them.
      if (sequence >= acknowledgement.next && !covers(acknowledgement.ranges, sequence)) continue;
      this.#flights.delete(sequence);
      this.#congestion.onAcknowledged(flight.cost, flight.sentMs, this.#wasLimited);
      if (flight.bulk !== undefined) arrived.push(flight);
      if (sequence >= acknowledgement.next) this.#received.add(sequence);
      if (newest === undefined || flight.packet >= newest.packet) newest = flight;
      largest = Math.max(largest, this.#arrivedPacket(flight, now));
    }
    for (const sequence of this.#lost) {
      if (covers(acknowledgement.ranges, sequence)) this.#received.add(sequence);
    }
    for (const sequence of this.#received) {
      if (sequence < acknowledgement.next) this.#received.delete(sequence);
    }
    if (newest !== undefined) {
      // Only the newest was acknowledged without delay: the ACKs for the others may have been lost.
      if (newest.before === undefined && newest.packet > this.#largestAcknowledged) {
        this.#roundTrip.sample(now - newest.sentMs);
      }
      this.#largestAcknowledged = largest;
      this.#probes = 0;
      this.#probeBytes = 0;
    }
    this.#detectLosses(now);
    this.#setTimer();
    // Last: others may send in it.
    const last = arrived.at(-1);
    const cost = arrived.reduce((sum, flight) => sum + flight.cost, 0);
    last?.bulk?.window.delivered(cost, last.before === undefined ? last.bulk.mark : undefined);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#paceTimer?.cancel();
    const left = [...this.#flights.values()];
    this.#flights.clear();
    forget(left);
  }

  #nextToSend(): number | undefined {
    for (;;) {
      const lost = this.#lost[0];
      if (lost === undefined) break;
      if (lost >= this.#buffer.first && !this.#received.has(lost)) return lost;
      this.#lost.shift();
      this.#lostPackets.delete(lost);
    }
    return this.#next < this.#buffer.next ? this.#next : undefined;
  }

  #send(sequence: number): number {
    const payload = this.#buffer.payload(sequence);
    const cost = payload.length + FRAME_COST_BYTES;
    const before = sequence < this.#next ? (this.#lostPackets.get(sequence) ?? this.#packet) : undefined;
    if (sequence < this.#next) this.#lost.shift();
    else this.#next = sequence + 1;
    this.#lostPackets.delete(sequence);
    if (this.#packetBytes + cost > this.#carrier.maxPayloadBytes) this.#nextPacket();
    this.#packetBytes += cost;
    this.#markTurn();
    this.#probeBytes -= cost;
    this.#armedMs = this.#clock.monotonicMs();
    const { window } = this.#carrier;
    window?.sent(cost);
    const bulk = window && { window, mark: window.flight() };
    this.#flights.set(sequence, { packet: this.#packet, sentMs: this.#armedMs, cost, before, bulk });
    this.#congestion.onSent(cost);
    this.#pacer.onSent(cost);
    this.#carrier.sendData(payload, sequence, this.#buffer.more(sequence));
    return cost;
  }

  /** Whether the pacer holds the next frame back; then it is sent when its time has come. */
  #mustWait(sequence: number): boolean {
    const fits = this.#packetBytes + this.#costOf(sequence) <= this.#carrier.maxPayloadBytes;
    if (this.#packetBytes > 0 && fits) return false;
    if (this.#paceTimer !== undefined) return true;
    const waitMs = this.#pacer.waitMs(this.#clock.monotonicMs(), {
      windowBytes: this.#congestion.windowBytes,
      isSlowStart: this.#congestion.isSlowStart,
      roundTripMs: this.#roundTrip.measuredMs,
    });
    if (waitMs === 0) return false;
    this.#paceTimer = this.#clock.setTimer(waitMs, () => {
      this.#paceTimer = undefined;
      if (!this.#stopped && this.pump(Infinity) === 'link') this.#carrier.wantTurn();
    });
    return true;
  }

  /** A turn's end sends the record whatever it holds. */
  #markTurn(): void {
    if (this.#turnOpen) return;
    this.#turnOpen = true;
    this.#clock.endOfTurn(() => {
      this.#turnOpen = false;
      this.#nextPacket();
    });
  }

  #nextPacket(): void {
    if (this.#packetBytes > 0) this.#packet++;
    this.#packetBytes = 0;
  }

  /**
   * The packet that brought a frame, as far as can be told. Of one that was sent again it is the earlier, when it is
   * acknowledged sooner than the later one can be: else all that went between the two would count as overtaken.
   */
  #arrivedPacket({ packet, before, sentMs }: Flight, now: number): number {
    if (before === undefined) return packet;
    const shortestMs = this.#roundTrip.shortestMs ?? 0;
    return now - sentMs + ROUNDING_MS < shortestMs ? before : packet;
  }

  #lose(sequence: number, { packet, before }: Flight): void {
    this.#flights.delete(sequence);
    this.#lost.push(sequence);
    this.#lostPackets.set(sequence, before ?? packet);
  }

  /** Whether there were any. */
  #detectLosses(now: number): boolean {
    const before = now - this.#roundTrip.lossDelayMs + ROUNDING_MS;
    let bytes = 0;
    let lastSentMs = 0;
    const gone: Flight[] = [];
    for (const [sequence, flight] of this.#flights) {
      if (flight.packet >= this.#largestAcknowledged) break;
      const overtaken = flight.packet <= this.#largestAcknowledged - PACKET_THRESHOLD;
      if (!overtaken && flight.sentMs > before) continue;
      this.#lose(sequence, flight);
      bytes += flight.cost;
      gone.push(flight);
      lastSentMs = Math.max(lastSentMs, flight.sentMs);
    }
    if (bytes === 0) return false;
    this.#congestion.onLost(bytes, lastSentMs, now);
    this.#lost.sort((a, b) => a - b);
    forget(gone);
    return true;
  }

  #setTimer(): void {
    this.#timer?.cancel();
    if (this.#stopped) return;
    const now = this.#clock.monotonicMs();
    let deadline: number | undefined;
    for (const flight of this.#flights.values()) {
      if (flight.packet < this.#largestAcknowledged) deadline = flight.sentMs + this.#roundTrip.lossDelayMs;
      break;
    }
    if (deadline === undefined && (this.#flights.size > 0 || this.#nextToSend() !== undefined)) {
      deadline = this.#armedMs + this.#probeWaitMs();
    }
    if (deadline === undefined) return;
    this.#deadlineMs = Math.max(deadline, now);
    this.#timer = this.#clock.setTimer(Math.max(0, deadline - now), () => this.#onTimer());
  }

  #probeWaitMs(): number {
    const timeoutMs = this.#roundTrip.probeTimeoutMs(Math.floor(this.#probes / PROBES_A_TIMEOUT));
    const isFirst = this.#probes % PROBES_A_TIMEOUT === 0;
    return isFirst ? timeoutMs : Math.max(1, (this.#roundTrip.measuredMs ?? timeoutMs) * PROBE_SPACING);
  }

  #onTimer(): void {
    const now = this.#clock.monotonicMs();
    if (now - this.#deadlineMs > LATE_MS && !this.#wasLate) {
      this.#wasLate = true;
      this.#timer = this.#clock.setTimer(0, () => this.#onTimer());
      return;
    }
    this.#wasLate = false;
    if (!this.#detectLosses(now)) this.#probe();
    if (this.pump(Infinity) === 'link') this.#carrier.wantTurn();
  }

  /** Nothing was heard: send the oldest again, or ask for credit with a frame that the other side has already. */
  #probe(): void {
    this.#probes++;
    this.#armedMs = this.#clock.monotonicMs();
    if (this.#flights.size === 0) {
      if (this.#lost.length === 0 && this.#buffer.first > 0) {
        this.#carrier.sendData(EMPTY, this.#buffer.first - 1, false);
      }
      this.#probeBytes = this.#lost.length > 0 ? this.#carrier.maxPayloadBytes : 0;
      return;
    }
    let bytes = 0;
    const gone: Flight[] = [];
    for (const [sequence, flight] of this.#flights) {
      if (bytes > 0 && bytes + flight.cost > this.#carrier.maxPayloadBytes) break;
      bytes += flight.cost;
      gone.push(flight);
      this.#lose(sequence, flight);
      // Not a sign of congestion by itself.
      this.#congestion.onAcknowledged(flight.cost, flight.sentMs, false);
    }
    this.#lost.sort((a, b) => a - b);
    this.#probeBytes = Math.max(bytes, 1);
    if (this.#probes === PERSISTENT_TIMEOUTS * PROBES_A_TIMEOUT) this.#congestion.onPersistentCongestion();
    forget(gone);
  }

  #costOf(sequence: number): number {
    return this.#buffer.payload(sequence).length + FRAME_COST_BYTES;
  }
}

/** Others may send in it: to be called last. */
function forget(flights: readonly Flight[]): void {
  for (const { bulk, cost } of flights) bulk?.window.forget(cost);
}

function covers(ranges: readonly (readonly [number, number])[], sequence: number): boolean {
  return ranges.some(([first, last]) => sequence >= first && sequence <= last);
}
