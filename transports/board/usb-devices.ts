import type { JsonValue } from '@pipevine/runtime';
import type { BoardOutlets, BoardPart } from './board-part.ts';
import type { BoardFiles, BoardPlatform } from './board-platform.ts';
import { deviceText } from './device-text.ts';
import { SharedReading } from './shared-reading.ts';

const DEVICES = '/sys/bus/usb/devices';
/** The kernel makes and removes a node here for each device, so nothing needs to be looked at in between. */
const NODES = '/dev/bus/usb';
/** Plugging one device in makes several changes; descriptors are there shortly after the node. */
const SETTLE_MS = 250;
const MAX_DEVICES = 128;

interface UsbDevice {
  /** Where it is plugged in: bus, and ports from hub to hub. */
  readonly port: string;
  /** Four hexadecimal digits each. */
  readonly vendor: string;
  readonly product: string;
  readonly name?: string;
  readonly serialNumber?: string;
  readonly [key: string]: JsonValue;
}

/** The property `usb`, and the events `usb-added` and `usb-removed`; nothing on a board without USB. */
export async function usbDevices({ files, clock }: BoardPlatform, outlets: BoardOutlets): Promise<BoardPart> {
  if ((await files.list(DEVICES)).length === 0) return {};
  let known = await readDevices(files);
  let timer: { cancel(): void } | undefined;
  let closed = false;
  let looking = Promise.resolve();
  const watchers = new Map<string, { close(): void }>();

  const look = async () => {
    await watchBuses();
    const now = await readDevices(files);
    const before = known;
    known = now;
    const gone = [...before].filter(([port, device]) => !same(now.get(port), device));
    const come = [...now].filter(([port, device]) => !same(before.get(port), device));
    if (closed) return;
    for (const [, device] of gone) outlets.happened('usb-removed', device);
    for (const [, device] of come) outlets.happened('usb-added', device);
    if (gone.length + come.length > 0) outlets.changed('usb', [...now.values()]);
  };
  const onChange = () => {
    if (closed) return;
    timer ??= clock.setTimer(SETTLE_MS, () => {
      timer = undefined;
      looking = looking.then(look).catch((error) => outlets.warn(`USB: ${String(error)}`));
    });
  };
  /** A bus of its own comes with some adapters; the folder of each is watched besides that of all. */
  const watchBuses = async () => {
    const buses = new Set([NODES, ...(await files.list(NODES)).map((bus) => `${NODES}/${bus}`)]);
    for (const [path, watcher] of watchers) {
      if (buses.has(path)) continue;
      watcher.close();
      watchers.delete(path);
    }
    if (closed) return;
    for (const path of buses) if (!watchers.has(path)) watchers.set(path, files.watch(path, onChange));
  };
  await watchBuses();

  const shared = new SharedReading(clock, 0, async () => [...(await readDevices(files)).values()]);
  const description = { type: 'object' } as const;
  return {
    properties: [
      {
        name: 'usb',
        affordance: { title: 'USB devices', type: 'array', items: description, readOnly: true, observable: true },
        read: () => shared.get(),
      },
    ],
    events: [
      { name: 'usb-added', affordance: { title: 'A USB device was plugged in', data: description } },
      { name: 'usb-removed', affordance: { title: 'A USB device was unplugged', data: description } },
    ],
    close: async () => {
      closed = true;
      timer?.cancel();
      for (const watcher of watchers.values()) watcher.close();
      await looking;
    },
  };
}

/** By port. Root hubs (`usb1`) and interfaces (`1-1:1.0`) are none. */
async function readDevices(files: BoardFiles): Promise<ReadonlyMap<string, UsbDevice>> {
  const devices = new Map<string, UsbDevice>();
  for (const port of await files.list(DEVICES)) {
    if (!/^\d+-[\d.]+$/.test(port) || devices.size >= MAX_DEVICES) continue;
    const text = async (file: string) =>
      deviceText(await files.read(`${DEVICES}/${port}/${file}`).catch(() => undefined));
    const [vendor, product, maker, model, serialNumber] = await Promise.all(
      ['idVendor', 'idProduct', 'manufacturer', 'product', 'serial'].map(text),
    );
    if (vendor === undefined || product === undefined) continue; // just gone
    const name = [maker, model].filter((part) => part !== undefined).join(' ');
    devices.set(port, {
      port,
      vendor,
      product,
      ...(name !== '' && { name }),
      ...(serialNumber !== undefined && { serialNumber }),
    });
  }
  return devices;
}

function same(a: UsbDevice | undefined, b: UsbDevice | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
