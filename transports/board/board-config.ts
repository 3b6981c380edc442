import type { SerialSettings } from './board-platform.ts';

/** A line of a GPIO chip. */
export interface PinConfig {
  readonly name: string;
  /** `gpiochip0` and so on. */
  readonly chip: string;
  /** Offset on the chip: on a Raspberry Pi the BCM number. */
  readonly line: number;
  readonly direction: 'in' | 'out';
  /** Undefined: as the board has it. */
  readonly pull: 'up' | 'down' | 'none' | undefined;
  /** Which edges of an input are told as events. Undefined: the input is looked at only when it is read. */
  readonly edges: 'rising' | 'falling' | 'both' | undefined;
  /** An input must keep a level for so long before it counts. */
  readonly debounceMs: number;
  /** Whether low means true. */
  readonly activeLow: boolean;
  /** What an output is set to at the start. */
  readonly initial: boolean;
}

export interface PwmConfig {
  readonly name: string;
  /** Number of /sys/class/pwm/pwmchip. */
  readonly chip: number;
  readonly channel: number;
  readonly frequencyHz: number;
}

export const SENSOR_SOURCES = ['iio', 'hwmon', 'w1'] as const;

export interface SensorConfig {
  readonly name: string;
  readonly source: (typeof SENSOR_SOURCES)[number];
  /** What the driver calls the device (`bme280`), or its folder (`iio:device0`, `hwmon2`, `28-0316a2794a5f`). */
  readonly device: string;
  /** `temp`, `humidityrelative`, `voltage0` (IIO), `temp1`, `in0` (hwmon); of no meaning for 1-wire. */
  readonly channel: string;
  readonly intervalMs: number;
}

export interface LedConfig {
  readonly name: string;
  /** Folder in /sys/class/leds. */
  readonly led: string;
}

export interface SerialConfig extends SerialSettings {
  /** Of the pipe. */
  readonly name: string;
}

export interface CameraConfig {
  /** Writes one JPEG to its standard output. Undefined: the first of rpicam-still, libcamera-still, fswebcam that is there. */
  readonly command: readonly string[] | undefined;
  readonly widthPixels: number;
  readonly heightPixels: number;
  /** JPEG quality, percent. */
  readonly quality: number;
}

export const POWER_ACTIONS = ['shutdown', 'reboot'] as const;
export type PowerAction = (typeof POWER_ACTIONS)[number];

/** What of a board is shown, and how it is called. */
export interface BoardConfig {
  /** Title of the thing. Undefined: the peer's name. */
  readonly name: string | undefined;
  /** How often temperature, load and the like are looked at. */
  readonly intervalMs: number;
  readonly pins: readonly PinConfig[];
  readonly pwm: readonly PwmConfig[];
  readonly sensors: readonly SensorConfig[];
  readonly leds: readonly LedConfig[];
  readonly serial: readonly SerialConfig[];
  readonly camera: CameraConfig | undefined;
  readonly allow: readonly PowerAction[];
}
