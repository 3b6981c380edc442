import type { SensorConfig } from './board-config.ts';
import type { BoardPart } from './board-part.ts';
import type { BoardPlatform } from './board-platform.ts';
import { readSensor } from './sensor-reading.ts';
import { HWMON_UNITS, IIO_UNITS, unitOf } from './sensor-units.ts';
import { SharedReading } from './shared-reading.ts';

/** A 1-wire conversion takes 0.75 s, during which others would queue. */
const KEPT_MS = 1_000;

/** The sensors that the configuration names, each a property; one that is absent says so when it is read. */
export function sensors(platform: BoardPlatform, configs: readonly SensorConfig[]): BoardPart {
  return {
    properties: configs.map((config) => {
      const shared = new SharedReading(platform.clock, KEPT_MS, () => readSensor(platform.files, config));
      const unit =
        config.source === 'w1'
          ? IIO_UNITS.temp
          : unitOf(config.source === 'iio' ? IIO_UNITS : HWMON_UNITS, config.channel);
      return {
        name: config.name,
        affordance: {
          type: 'number',
          readOnly: true,
          observable: true,
          ...(unit && { title: unit.title, unit: unit.unit }),
        },
        read: () => shared.get(),
        intervalMs: config.intervalMs,
      };
    }),
  };
}
