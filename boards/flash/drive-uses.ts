import { readdirSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { DriveUse } from './drive.ts';
import { deviceName, devicePath, readText, type SystemRoot } from './system-root.ts';

interface Mount {
  /** major:minor; a btrfs has a made-up one. */
  readonly number: string;
  readonly source: string;
  readonly at: string;
}

/** Who uses which device: mounts, swap, and devices that lie on others. Read once for a list of drives. */
export class DeviceUses {
  readonly #root: SystemRoot;
  readonly #uses = new Map<string, DriveUse[]>();

  constructor(root: SystemRoot) {
    this.#root = root;
    for (const mount of mounts(root)) {
      const name = this.#nameOf(mount);
      if (name !== undefined) this.#add(name, { kind: 'mount', device: devicePath(name), at: mount.at });
    }
    for (const line of readText(join(root, 'proc/swaps')).split('\n').slice(1)) {
      const name = this.#nameOf({ number: '', source: unescaped(line.split(/\s/)[0] ?? ''), at: '' });
      if (name !== undefined) this.#add(name, { kind: 'swap', device: devicePath(name), at: '' });
    }
  }

  /** The uses of a disk or partition, and of all that lies on top of it. `name` is the kernel's. */
  of(name: string, seen: ReadonlySet<string> = new Set()): readonly DriveUse[] {
    if (seen.has(name)) return [];
    const holders = this.#holders(name);
    const within = new Set([...seen, name]);
    return [
      ...(this.#uses.get(name) ?? []),
      ...holders.flatMap((holder): readonly DriveUse[] => [
        { kind: 'holder', device: devicePath(name), at: devicePath(holder) },
        ...this.of(holder, within),
      ]),
    ];
  }

  #holders(name: string): readonly string[] {
    try {
      return readdirSync(join(this.#root, 'sys/class/block', name, 'holders')).sort();
    } catch {
      return [];
    }
  }

  #add(name: string, use: DriveUse): void {
    this.#uses.set(name, [...(this.#uses.get(name) ?? []), use]);
  }

  #nameOf({ number, source }: Mount): string | undefined {
    try {
      if (/^[1-9]\d*:\d+$/.test(number)) return basename(realpathSync(join(this.#root, 'sys/dev/block', number)));
    } catch {
      // A mount of a device that is gone.
    }
    if (!source.startsWith('/dev/')) return undefined;
    try {
      // The links of /dev/mapper and /dev/disk lead to the kernel's name.
      return deviceName(
        realpathSync(join(this.#root, source)).slice(realpathSync(this.#root).replace(/\/$/, '').length),
      );
    } catch {
      return deviceName(source);
    }
  }
}

/** proc_pid_mountinfo(5). */
function mounts(root: SystemRoot): readonly Mount[] {
  return readText(join(root, 'proc/self/mountinfo'))
    .split('\n')
    .flatMap((line) => {
      const fields = line.split(' ');
      const [, , number = '', , at = ''] = fields;
      const source = fields[fields.indexOf('-') + 2] ?? '';
      return at === '' ? [] : [{ number, source: unescaped(source), at: unescaped(at) }];
    });
}

/** The kernel writes spaces and line ends as three octal digits. */
const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_all, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
