import { PipevineError } from '@pipevine/runtime';
import type { SensorConfig } from './board-config.ts';
import type { BoardFiles } from './board-platform.ts';
import { HWMON_UNITS, IIO_UNITS, inUnit, unitOf } from './sensor-units.ts';

const IIO = '/sys/bus/iio/devices';
const HWMON = '/sys/class/hwmon';
const W1 = '/sys/bus/w1/devices';

/** The present value of a sensor, in the unit of its kind. Rejects with `not-found` while it is absent, `unreachable` when it gives no number. */
export async function readSensor(files: BoardFiles, sensor: SensorConfig): Promise<number> {
  switch (sensor.source) {
    case 'iio':
      return readIio(files, sensor);
    case 'hwmon':
      return readHwmon(files, sensor);
    case 'w1':
      return readW1(files, sensor);
  }
}

/** ABI/testing/sysfs-bus-iio: `in_CHANNEL_input`, or (`in_CHANNEL_raw` + `_offset`) times `_scale`, which a kind of channel may share. */
async function readIio(files: BoardFiles, sensor: SensorConfig): Promise<number> {
  const { channel } = sensor;
  const folder = await folderOf(files, IIO, sensor);
  const unit = unitOf(IIO_UNITS, channel);
  const processed = await files.read(`${folder}/in_${channel}_input`);
  if (processed !== undefined) return inUnit(number(processed, sensor), unit);
  const raw = await files.read(`${folder}/in_${channel}_raw`);
  if (raw === undefined) return absent(sensor, `${folder} has no channel "${channel}"`);
  const [kind = channel] = /^[a-z]+/.exec(channel) ?? [];
  const of = async (what: string, otherwise: number) => {
    const own =
      (await files.read(`${folder}/in_${channel}_${what}`)) ?? (await files.read(`${folder}/in_${kind}_${what}`));
    return own === undefined ? otherwise : number(own, sensor);
  };
  return inUnit((number(raw, sensor) + (await of('offset', 0))) * (await of('scale', 1)), unit);
}

async function readHwmon(files: BoardFiles, sensor: SensorConfig): Promise<number> {
  const { channel } = sensor;
  const folder = await folderOf(files, HWMON, sensor);
  const text = await files.read(`${folder}/${channel}_input`);
  if (text === undefined) return absent(sensor, `${folder} has no channel "${channel}"`);
  return inUnit(number(text, sensor), unitOf(HWMON_UNITS, channel));
}

/** A 1-wire thermometer: `temperature` since Linux 5.10, before that `w1_slave`, whose first line says whether the checksum is right. */
async function readW1(files: BoardFiles, sensor: SensorConfig): Promise<number> {
  const folder = `${W1}/${sensor.device}`;
  const text = await files.read(`${folder}/temperature`);
  if (text !== undefined && text.trim() !== '') return inUnit(number(text, sensor), IIO_UNITS.temp);
  const lines = await files.read(`${folder}/w1_slave`);
  if (lines === undefined) return absent(sensor, `there is no ${folder}; is it wired, and 1-wire switched on?`);
  const [, milli] = /crc=\w+ YES\b[\s\S]*\bt=(-?\d+)/.exec(lines) ?? [];
  return inUnit(number(milli ?? lines, sensor), IIO_UNITS.temp);
}

/** By the folder's name, or by what the driver calls the device; of several with this name the first. */
async function folderOf(files: BoardFiles, root: string, sensor: SensorConfig): Promise<string> {
  const names = await files.list(root);
  if (names.includes(sensor.device)) return `${root}/${sensor.device}`;
  const known: string[] = [];
  for (const folder of names) {
    const name = (await files.read(`${root}/${folder}/name`).catch(() => undefined))?.trim();
    if (name === sensor.device) return `${root}/${folder}`;
    if (name !== undefined) known.push(name.slice(0, 64));
  }
  return absent(sensor, known.length === 0 ? `${root} is empty` : `${root} has ${known.slice(0, 16).join(', ')}`);
}

function absent({ name, device }: SensorConfig, why: string): never {
  throw new PipevineError('not-found', `sensor "${name}": "${device}" is not there now: ${why}`);
}

function number(text: string, { name }: SensorConfig): number {
  const value = Number(text.trim() || Number.NaN);
  if (Number.isFinite(value)) return value;
  throw new PipevineError(
    'unreachable',
    `sensor "${name}" gave no number but "${text.trim().slice(0, 40)}"; try again`,
  );
}
