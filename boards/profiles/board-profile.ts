import { BoardsError } from '../boards-error.ts';
import genericArm64 from './generic-arm64.json' with { type: 'json' };
import genericX64 from './generic-x64.json' with { type: 'json' };
import rpi3 from './rpi-3.json' with { type: 'json' };
import rpi4 from './rpi-4.json' with { type: 'json' };
import rpi5 from './rpi-5.json' with { type: 'json' };
import rpi32bit from './rpi-32bit.json' with { type: 'json' };
import rpiZero2w from './rpi-zero-2w.json' with { type: 'json' };

export type PeerProfile = 'edge' | 'gateway';
export type DebianArchitecture = 'arm64' | 'amd64' | 'armhf';
export type DeviceKind = 'gpio' | 'i2c' | 'spi' | 'serial' | 'camera' | 'leds' | 'pwm';

/** What bundling must know of a kind of board; board-profile.schema.json says what each part means. */
export interface BoardProfile {
  readonly name: string;
  readonly title: string;
  readonly architecture: DebianArchitecture;
  readonly node: 'bundled' | 'system';
  readonly profile: PeerProfile;
  readonly memory: Readonly<Record<PeerProfile, { readonly highMiB: number; readonly maxMiB: number }>>;
  readonly devices: readonly DeviceKind[];
  readonly nodeFlags: readonly string[];
}

const FILES = [rpiZero2w, rpi3, rpi4, rpi5, genericArm64, genericX64, rpi32bit];

/** All that can be bundled for, the smallest first. */
// TypeScript widens the strings of JSON files; a test checks each against the schema.
export const BOARD_PROFILES = FILES as readonly { readonly name: string }[] as readonly BoardProfile[];

/** Throws `not-found`, naming those that there are. */
export function boardProfile(name: string): BoardProfile {
  const found = BOARD_PROFILES.find((board) => board.name === name);
  if (found !== undefined) return found;
  const names = BOARD_PROFILES.map((board) => board.name).join(', ');
  throw new BoardsError('not-found', `there is no board "${name}"; there are ${names}`);
}
