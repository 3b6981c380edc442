import type { BoardConfig } from '../board-config.ts';

/** A configuration that names nothing, and what a test adds. */
export function boardConfigWith(more: Partial<BoardConfig> = {}): BoardConfig {
  return {
    name: undefined,
    intervalMs: 60_000,
    pins: [],
    pwm: [],
    sensors: [],
    leds: [],
    serial: [],
    camera: undefined,
    allow: [],
    ...more,
  };
}
