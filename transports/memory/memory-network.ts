import { type Clock, PipevineError } from '@pipevine/runtime';
import { MemoryHost } from './memory-host.ts';
import type { MemoryProcess } from './memory-process.ts';
import { type NetworkConditions, QUIET_LAN, SAME_HOST } from './network-conditions.ts';
import { type SeededRandom, seededRandom } from './seeded-random.ts';

export interface MemoryNetworkInit {
  /** Usually a VirtualClock. */
  readonly clock: Clock;
  /** All that the network draws comes from it. Default: 1. */
  readonly seed?: number | string;
  /** Conditions of every path that has none of its own. Default: a quiet LAN. */
  readonly conditions?: Partial<NetworkConditions>;
  /** How long a stream waits for a path that carries nothing before it dies. Default: 15,000, as long as a person waits. */
  readonly streamTimeoutMs?: number;
  /** Told of each packet, and of each segment of a stream, that reaches its host. The bytes are only lent. */
  readonly onDelivered?: (from: string, to: string, bytes: Uint8Array) => void;
}

/** What happened to packets so far. */
export interface MemoryNetworkCounters {
  sent: number;
  delivered: number;
  lost: number;
  duplicated: number;
  reordered: number;
  corrupted: number;
  /** Packets that ran into a partition. */
  blocked: number;
  /** Packets beyond the queue of a slow path, or for a receiver that had no room. */
  overflowed: number;
  /** Packets for which nobody listened. */
  unheard: number;
  /** Segments of streams that reached the other side, and their bytes. */
  segments: number;
  segmentBytes: number;
}

/** A flow of a stream that waits for its path to carry something again. */
export interface StalledFlow {
  retry(): void;
}

/**
 * Hosts in one process, and the paths between them, with faults drawn from a seed. With a VirtualClock the same seed
 * and the same program give the same run, event by event.
 */
export class MemoryNetwork {
  readonly clock: Clock;
  readonly streamTimeoutMs: number;
  readonly onDelivered: ((from: string, to: string, bytes: Uint8Array) => void) | undefined;
  readonly counters: MemoryNetworkCounters = {
    sent: 0,
    delivered: 0,
    lost: 0,
    duplicated: 0,
    reordered: 0,
    corrupted: 0,
    blocked: 0,
    overflowed: 0,
    unheard: 0,
    segments: 0,
    segmentBytes: 0,
  };
  readonly #random: SeededRandom;
  readonly #hosts = new Map<string, MemoryHost>();
  readonly #paths = new Map<string, Partial<NetworkConditions>>();
  readonly #freeAtMs = new Map<string, number>();
  readonly #blocked = new Set<string>();
  readonly #isolated = new Set<string>();
  readonly #stalled = new Set<StalledFlow>();
  #conditions: NetworkConditions;

  constructor(init: MemoryNetworkInit) {
    this.clock = init.clock;
    this.streamTimeoutMs = init.streamTimeoutMs ?? 15_000;
    this.onDelivered = init.onDelivered;
    this.#random = seededRandom(init.seed ?? 1).fork('network');
    this.#conditions = { ...QUIET_LAN, ...init.conditions };
  }

  /** The host of that name, made when first asked for. Names are letters, digits, `-`, `_` and `.`. */
  host(name: string): MemoryHost {
    let host = this.#hosts.get(name);
    if (host === undefined) {
      if (!/^[A-Za-z0-9_.-]+$/.test(name)) {
        throw new PipevineError(
          'invalid-argument',
          `"${name}" cannot name a host: use letters, digits, "-", "_", ".".`,
        );
      }
      host = new MemoryHost(this, name);
      this.#hosts.set(name, host);
    }
    return host;
  }

  /** The host of that name, if there is one. */
  findHost(name: string): MemoryHost | undefined {
    return this.#hosts.get(name);
  }

  get hosts(): Iterable<MemoryHost> {
    return this.#hosts.values();
  }

  /** Starts a process on a host: what a peer gets its clock and transports from. */
  boot(hostName: string): MemoryProcess {
    return this.host(hostName).boot();
  }

  /** Changes the conditions of every path that has none of its own. */
  setConditions(conditions: Partial<NetworkConditions>): void {
    this.#conditions = { ...this.#conditions, ...conditions };
  }

  /** Changes the path between two hosts, in both directions. */
  setConditionsBetween(a: string, b: string, conditions: Partial<NetworkConditions>): void {
    for (const path of [pathName(a, b), pathName(b, a)]) {
      this.#paths.set(path, { ...this.#paths.get(path), ...conditions });
    }
  }

  /** Nothing passes between a host of one side and a host of the other, until `heal`. */
  partition(oneSide: readonly string[], otherSide: readonly string[]): void {
    for (const a of oneSide) {
      for (const b of otherSide) {
        this.block(a, b);
        this.block(b, a);
      }
    }
  }

  /** Nothing passes from one host to the other; the way back stays open. */
  block(from: string, to: string): void {
    this.#blocked.add(pathName(from, to));
  }

  /** Nothing passes to or from this host. */
  isolate(name: string): void {
    this.#isolated.add(name);
  }

  /** Ends all partitions, blocks and isolations; streams that have not died meanwhile go on. */
  heal(): void {
    this.#blocked.clear();
    this.#isolated.clear();
    this.retryStalled();
  }

  isBlocked(from: string, to: string): boolean {
    if (from === to) return false;
    if (this.#blocked.size === 0 && this.#isolated.size === 0) return false;
    return this.#blocked.has(pathName(from, to)) || this.#isolated.has(from) || this.#isolated.has(to);
  }

  conditionsOf(from: string, to: string): NetworkConditions {
    if (from === to) return SAME_HOST;
    if (this.#paths.size === 0) return this.#conditions;
    const own = this.#paths.get(pathName(from, to));
    return own === undefined ? this.#conditions : { ...this.#conditions, ...own };
  }

  /** Whether a random draw falls under `probability`. Draws nothing for 0, so quiet paths do not shift the others. */
  chance(probability: number): boolean {
    return probability > 0 && this.#random.fraction() < probability;
  }

  draw(below: number): number {
    return below > 0 ? this.#random.fraction() * below : 0;
  }

  /** When bytes that leave now arrive. Undefined when the path's queue is full, which `bound` makes a matter. */
  arrivalMs(from: string, to: string, byteLength: number, bound: boolean): number | undefined {
    const conditions = this.conditionsOf(from, to);
    const nowMs = this.clock.monotonicMs();
    let sentMs = nowMs;
    if (Number.isFinite(conditions.bytesPerSecond)) {
      const path = pathName(from, to);
      const startMs = Math.max(nowMs, this.#freeAtMs.get(path) ?? 0);
      if (bound && ((startMs - nowMs) / 1000) * conditions.bytesPerSecond > conditions.queueBytes) return undefined;
      sentMs = startMs + (byteLength / conditions.bytesPerSecond) * 1000;
      this.#freeAtMs.set(path, sentMs);
    }
    return sentMs + conditions.delayMs + this.draw(conditions.jitterMs);
  }

  /** Sends one packet, which may meet every fault of the path. `bytes` belongs to the network from now on. */
  sendPacket(from: string, to: string, bytes: Uint8Array, deliver: (bytes: Uint8Array) => void): void {
    const conditions = this.conditionsOf(from, to);
    this.counters.sent++;
    if (this.isBlocked(from, to)) {
      this.counters.blocked++;
      return;
    }
    if (bytes.length > conditions.maxPacketBytes || this.chance(conditions.loss)) {
      this.counters.lost++;
      return;
    }
    const copies = this.chance(conditions.duplication) ? 2 : 1;
    this.counters.duplicated += copies - 1;
    for (let copy = 0; copy < copies; copy++) this.#carry(from, to, conditions, bytes.slice(), deliver);
  }

  #carry(
    from: string,
    to: string,
    conditions: NetworkConditions,
    bytes: Uint8Array,
    deliver: (bytes: Uint8Array) => void,
  ): void {
    const arrivalMs = this.arrivalMs(from, to, bytes.length, true);
    if (arrivalMs === undefined) {
      this.counters.overflowed++;
      return;
    }
    let extraMs = 0;
    if (this.chance(conditions.reordering)) {
      this.counters.reordered++;
      extraMs = this.draw(conditions.reorderMs);
    }
    if (bytes.length > 0 && this.chance(conditions.corruption)) {
      this.counters.corrupted++;
      const bit = Math.floor(this.draw(bytes.length * 8));
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    }
    this.clock.setTimer(arrivalMs + extraMs - this.clock.monotonicMs(), () => {
      if (this.isBlocked(from, to)) {
        this.counters.blocked++;
        return;
      }
      this.counters.delivered++;
      this.onDelivered?.(from, to, bytes);
      deliver(bytes);
    });
  }

  addStalled(flow: StalledFlow): void {
    this.#stalled.add(flow);
  }

  removeStalled(flow: StalledFlow): void {
    this.#stalled.delete(flow);
  }

  /** Lets every waiting stream try its path again; those that still cannot wait on. */
  retryStalled(): void {
    for (const flow of [...this.#stalled]) flow.retry();
  }
}

function pathName(from: string, to: string): string {
  return `${from} ${to}`;
}
