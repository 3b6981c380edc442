import type { BoardConfig } from './board-config.ts';
import type { BoardAction, BoardEvent, BoardOutlets, BoardPart, BoardProperty } from './board-part.ts';
import type { BoardPlatform } from './board-platform.ts';
import { camera } from './camera.ts';
import { foundHardware } from './found-hardware.ts';
import { gpioPins } from './gpio-pins.ts';
import { leds } from './leds.ts';
import { powerActions } from './power-actions.ts';
import { pwm } from './pwm.ts';
import { sensors } from './sensors.ts';
import { systemFacts } from './system-facts.ts';
import { usbDevices } from './usb-devices.ts';

/** A board as a set of affordances. */
export interface Board {
  readonly properties: readonly BoardProperty[];
  readonly events: readonly BoardEvent[];
  readonly actions: readonly BoardAction[];
  /** Lets go of lines, and ends what watches. Idempotent. */
  close(): Promise<void>;
}

export interface OpenBoardInit {
  readonly platform: BoardPlatform;
  readonly config: BoardConfig;
  readonly outlets: BoardOutlets;
}

/** Takes the hardware that the configuration names. What is absent is no error: it says so when it is asked for. */
export async function openBoard({ platform, config, outlets }: OpenBoardInit): Promise<Board> {
  const parts: BoardPart[] = [];
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= Promise.all(parts.map((part) => part.close?.())).then(() => undefined);
    return closing;
  };
  try {
    parts.push(await systemFacts(platform, config.intervalMs));
    parts.push(foundHardware(platform));
    parts.push(await usbDevices(platform, outlets));
    parts.push(await gpioPins(platform, config.pins, outlets));
    parts.push(pwm(platform, config.pwm));
    parts.push(sensors(platform, config.sensors));
    parts.push(leds(platform, config.leds));
    if (config.camera !== undefined) parts.push(camera(platform, config.camera));
    parts.push(powerActions(platform, config.allow));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    properties: parts.flatMap((part) => part.properties ?? []),
    events: parts.flatMap((part) => part.events ?? []),
    actions: parts.flatMap((part) => part.actions ?? []),
    close,
  };
}
