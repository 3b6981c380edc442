import type { JsonValue } from '@pipevine/runtime';
import type { BoardFiles, BoardPlatform } from './board-platform.ts';
import { deviceText } from './device-text.ts';

const MAX_INTERFACES = 32;
const CLASS = '/sys/class/net';

/** The network interfaces but the loopback: state, hardware address, traffic, and of wireless ones the signal. */
export async function readNetwork({ files }: BoardPlatform): Promise<JsonValue | undefined> {
  const names = (await files.list(CLASS)).filter((name) => name !== 'lo').slice(0, MAX_INTERFACES);
  if (names.length === 0) return undefined;
  const signals = wirelessSignals((await files.read('/proc/net/wireless')) ?? '');
  return Promise.all(
    names.map(async (name) => {
      const text = async (file: string) =>
        deviceText(await files.read(`${CLASS}/${name}/${file}`).catch(() => undefined));
      const address = await text('address');
      const signalDbm = signals.get(name);
      return {
        name,
        // A tunnel has no carrier to speak of, and says `unknown`.
        up: (await text('operstate')) !== 'down',
        ...(address !== undefined && { address }),
        receivedBytes: await counter(files, name, 'rx_bytes'),
        sentBytes: await counter(files, name, 'tx_bytes'),
        ...(signalDbm !== undefined && { signalDbm }),
      };
    }),
  );
}

async function counter(files: BoardFiles, name: string, file: string): Promise<number> {
  return Number((await files.read(`${CLASS}/${name}/statistics/${file}`))?.trim()) || 0;
}

/** proc_net_wireless: two lines of heading, then `wlan0: status link level noise ...`. */
function wirelessSignals(text: string): ReadonlyMap<string, number> {
  const signals = new Map<string, number>();
  for (const line of text.split('\n').slice(2)) {
    const [name = '', , , level = ''] = line.trim().split(/\s+/);
    const dbm = Number.parseFloat(level);
    if (name.endsWith(':') && Number.isFinite(dbm)) signals.set(name.slice(0, -1), dbm);
  }
  return signals;
}
