import { PipevineError } from '@pipevine/runtime';
import type { PinConfig } from './board-config.ts';
import type { BoardOutlets } from './board-part.ts';
import type { BoardPlatform, RunningCommand } from './board-platform.ts';
import { type GpioToolsVersion, holdCommand, setLine } from './gpio-tools.ts';

/** Generation 1 of the tools is silent: what has not failed by then holds the line. Generation 2 has said so long before. */
const HELD_MS: Readonly<Record<GpioToolsVersion, number>> = { 1: 100, 2: 5_000 };
/** Writes that wait for one before them. */
const MAX_WAITING = 16;

/** An output: a line that is held as long as this process runs, as the kernel lets it go with the last who holds it. */
export class HeldOutput {
  readonly #platform: BoardPlatform;
  readonly #version: GpioToolsVersion;
  readonly #pin: PinConfig;
  readonly #outlets: BoardOutlets;
  #holder: RunningCommand | undefined;
  #value: boolean | undefined;
  #fault = 'it has not been set';
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;
  /** Whether a held line can be set anew; version 2 may be built without. */
  #settable: boolean;
  #closed = false;

  constructor(platform: BoardPlatform, version: GpioToolsVersion, pin: PinConfig, outlets: BoardOutlets) {
    this.#platform = platform;
    this.#version = version;
    this.#settable = version === 2;
    this.#pin = pin;
    this.#outlets = outlets;
  }

  read(): boolean {
    if (this.#value !== undefined) return this.#value;
    throw new PipevineError('unreachable', `pin "${this.#pin.name}": ${this.#fault}; write it to try again`);
  }

  /** One after the other. Rejects with `unreachable` when the line cannot be had, `overloaded`. */
  async write(value: boolean): Promise<void> {
    if (this.#waiting >= MAX_WAITING) {
      throw new PipevineError('overloaded', `${MAX_WAITING} writes of pin "${this.#pin.name}" wait already; try again`);
    }
    this.#waiting++;
    const writing = this.#last.then(() => this.#set(value)).finally(() => this.#waiting--);
    this.#last = writing.catch(() => undefined);
    await writing;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
    await this.#holder?.stop();
  }

  async #set(value: boolean): Promise<void> {
    if (this.#closed) throw new PipevineError('closed', 'the board is being closed');
    if (this.#holder !== undefined && this.#settable) this.#holder.write(setLine(this.#pin, value));
    else {
      const before = this.#holder;
      this.#holder = undefined;
      await before?.stop();
      await this.#hold(value).catch((error: PipevineError) => {
        if (!this.#settable || !/option/.test(error.message)) throw error;
        this.#settable = false;
        return this.#hold(value);
      });
    }
    const before = this.#value;
    this.#value = value;
    if (before !== value) this.#outlets.changed(this.#pin.name, value);
  }

  #hold(value: boolean): Promise<void> {
    const { name } = this.#pin;
    return new Promise((resolve, reject) => {
      let state: 'starting' | 'held' | 'ended' = 'starting';
      const held = () => {
        if (state === 'starting') state = 'held';
        timer.cancel();
        resolve();
      };
      const timer = this.#platform.clock.setTimer(HELD_MS[this.#version], held);
      const holder = this.#platform.commands.start(holdCommand(this.#version, this.#pin, value, this.#settable), {
        onLine: held,
        onExit: (reason) => {
          timer.cancel();
          const was = state;
          state = 'ended';
          if (this.#holder !== holder && was !== 'starting') return;
          this.#holder = undefined;
          this.#value = undefined;
          this.#fault = reason;
          if (was === 'held' && !this.#closed) this.#outlets.warn(`pin "${name}" was let go: ${reason}`);
          reject(new PipevineError('unreachable', `pin "${name}": ${reason}`));
        },
      });
      this.#holder = holder;
    });
  }
}
