/** What a kind of channel measures, and what its number is to be multiplied by for the unit. */
export interface ChannelUnit {
  readonly title: string;
  readonly unit: string;
  readonly factor: number;
}

/** Kernel documentation, ABI/testing/sysfs-bus-iio: what `in_KIND_input` is given in. */
export const IIO_UNITS: Readonly<Record<string, ChannelUnit>> = {
  temp: { title: 'Temperature', unit: '°C', factor: 1e-3 },
  humidityrelative: { title: 'Relative humidity', unit: '%', factor: 1e-3 },
  pressure: { title: 'Pressure', unit: 'hPa', factor: 10 },
  illuminance: { title: 'Illuminance', unit: 'lx', factor: 1 },
  voltage: { title: 'Voltage', unit: 'V', factor: 1e-3 },
  current: { title: 'Current', unit: 'A', factor: 1e-3 },
  power: { title: 'Power', unit: 'W', factor: 1e-3 },
  resistance: { title: 'Resistance', unit: 'Ω', factor: 1 },
  concentration: { title: 'Concentration', unit: '%', factor: 1 },
  distance: { title: 'Distance', unit: 'm', factor: 1 },
  accel: { title: 'Acceleration', unit: 'm/s²', factor: 1 },
  anglvel: { title: 'Angular velocity', unit: 'rad/s', factor: 1 },
  magn: { title: 'Magnetic field', unit: 'G', factor: 1 },
};

/** Kernel documentation, hwmon/sysfs-interface. */
export const HWMON_UNITS: Readonly<Record<string, ChannelUnit>> = {
  temp: { title: 'Temperature', unit: '°C', factor: 1e-3 },
  in: { title: 'Voltage', unit: 'V', factor: 1e-3 },
  curr: { title: 'Current', unit: 'A', factor: 1e-3 },
  power: { title: 'Power', unit: 'W', factor: 1e-6 },
  energy: { title: 'Energy', unit: 'J', factor: 1e-6 },
  humidity: { title: 'Relative humidity', unit: '%', factor: 1e-3 },
  fan: { title: 'Fan', unit: 'RPM', factor: 1 },
};

/** The unit of a channel such as `temp1`, `voltage0-voltage1` or `accel_x`; undefined when its kind is not known. */
export function unitOf(table: Readonly<Record<string, ChannelUnit>>, channel: string): ChannelUnit | undefined {
  const [kind = ''] = /^[a-z]+/.exec(channel) ?? [];
  return Object.hasOwn(table, kind) ? table[kind] : undefined;
}

/** In the unit, without the digits that a float's arithmetic adds. */
export function inUnit(raw: number, unit: ChannelUnit | undefined): number {
  return Number((raw * (unit?.factor ?? 1)).toPrecision(9));
}
