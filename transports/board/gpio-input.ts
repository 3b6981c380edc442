import { PipevineError, type Timer } from '@pipevine/runtime';
import type { PinConfig } from './board-config.ts';
import type { BoardOutlets } from './board-part.ts';
import type { BoardPlatform, RunningCommand } from './board-platform.ts';
import { type GpioToolsVersion, getCommand, levelOf, monitorCommand } from './gpio-tools.ts';

const GET_TIMEOUT_MS = 5_000;
/** Pause before the monitor of a line is started again, doubled up to the largest. */
const RESTART_MS = 1_000;
const MAX_RESTART_MS = 60_000;

/** Looks at a line once. */
export async function readLevel(
  { commands }: BoardPlatform,
  version: GpioToolsVersion,
  pin: PinConfig,
): Promise<boolean> {
  const output = await commands.run(getCommand(version, pin), { timeoutMs: GET_TIMEOUT_MS, maxBytes: 4_096 });
  const text = new TextDecoder().decode(output).trim();
  if (text === '0' || text === '1') return text === '1';
  throw new PipevineError(
    'unreachable',
    `gpioget said "${text.slice(0, 40)}" of pin "${pin.name}" where 0 or 1 was expected`,
  );
}

/**
 * An input whose edges are told. The monitor holds the line, so the level is known from the last edge; before that from one
 * look at the start. A level counts when it has lasted for `debounceMs`, so there are at most so many events a second.
 */
export class MonitoredInput {
  readonly #platform: BoardPlatform;
  readonly #version: GpioToolsVersion;
  readonly #pin: PinConfig;
  readonly #outlets: BoardOutlets;
  #monitor: RunningCommand | undefined;
  /** The last edge's level. */
  #level: boolean | undefined;
  /** The level that has lasted. */
  #settled: boolean | undefined;
  #debounce: Timer | undefined;
  #restart: Timer | undefined;
  #restartMs = RESTART_MS;
  #fault: string | undefined;
  /** Whether the present trouble was told. */
  #complained = false;
  #closed = false;

  constructor(platform: BoardPlatform, version: GpioToolsVersion, pin: PinConfig, outlets: BoardOutlets) {
    this.#platform = platform;
    this.#version = version;
    this.#pin = pin;
    this.#outlets = outlets;
  }

  /** Never rejects: a line that is taken or absent is tried again. */
  async start(): Promise<void> {
    try {
      this.#settle(await readLevel(this.#platform, this.#version, this.#pin));
    } catch (error) {
      return this.#failed(error instanceof Error ? error.message : String(error));
    }
    if (this.#closed) return;
    this.#monitor = this.#platform.commands.start(monitorCommand(this.#version, this.#pin), {
      onLine: (line) => this.#heard(line),
      onExit: (reason) => this.#failed(reason),
    });
  }

  read(): boolean {
    if (this.#settled !== undefined && this.#fault === undefined) return this.#settled;
    throw new PipevineError(
      'unreachable',
      `pin "${this.#pin.name}": ${this.#fault ?? 'its level is not known yet'}; trying again`,
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#debounce?.cancel();
    this.#restart?.cancel();
    await this.#monitor?.stop();
  }

  #heard(line: string): void {
    if (this.#closed) return;
    // Whatever the monitor says, it has the line.
    this.#restartMs = RESTART_MS;
    this.#complained = false;
    const level = levelOf(this.#version, line);
    if (level === undefined) return;
    this.#level = level;
    this.#debounce?.cancel();
    this.#debounce = this.#platform.clock.setTimer(this.#pin.debounceMs, () => {
      if (this.#level !== undefined) this.#settle(this.#level);
    });
  }

  #settle(level: boolean): void {
    const before = this.#settled;
    this.#settled = level;
    this.#fault = undefined;
    if (level === before || this.#closed) return;
    const { name, edges } = this.#pin;
    this.#outlets.changed(name, level);
    const edge = level ? 'rising' : 'falling';
    if (before !== undefined && (edges === 'both' || edges === edge)) this.#outlets.happened(`${name}-edge`, { edge });
  }

  #failed(reason: string): void {
    this.#monitor = undefined;
    if (this.#closed) return;
    if (!this.#complained) this.#outlets.warn(`pin "${this.#pin.name}": ${reason}; trying again`);
    this.#complained = true;
    this.#fault = reason;
    this.#restart = this.#platform.clock.setTimer(this.#restartMs, () => void this.start());
    this.#restartMs = Math.min(this.#restartMs * 2, MAX_RESTART_MS);
  }
}
