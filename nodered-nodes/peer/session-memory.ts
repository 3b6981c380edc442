import type { EndpointAddress, Storage } from '@pipevine/runtime';

/** In the peer's own storage: by which way in which group was joined, and where the local gateway was. */
const TABLE = 'node-red';
const MEMBERSHIP = 'membership';
const ADDRESSES = 'gateway-addresses';
const MAX_ADDRESSES = 16;

export interface RememberedMembership {
  /** Which way in it was, see `wayInName`. */
  readonly by: string;
  /** Absent while the peer is about to join. */
  readonly group?: string;
}

export function rememberedMembership(storage: Storage): RememberedMembership | undefined {
  const { by, group } = read(storage, MEMBERSHIP);
  if (typeof by !== 'string') return undefined;
  return typeof group === 'string' ? { by, group } : { by };
}

export function rememberMembership(storage: Storage, membership: RememberedMembership): Promise<void> {
  return write(storage, MEMBERSHIP, membership);
}

export function rememberedAddresses(storage: Storage): EndpointAddress[] {
  const { addresses } = read(storage, ADDRESSES);
  return Array.isArray(addresses) ? addresses.filter((address) => typeof address === 'string') : [];
}

export function rememberAddresses(storage: Storage, addresses: readonly EndpointAddress[]): Promise<void> {
  return write(storage, ADDRESSES, { addresses: addresses.slice(0, MAX_ADDRESSES) });
}

function read(storage: Storage, key: string): Readonly<Record<string, unknown>> {
  const bytes = storage.get(TABLE, key);
  if (bytes === undefined) return {};
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    // An object, so each of its members is unknown or absent.
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

async function write(storage: Storage, key: string, value: object): Promise<void> {
  await storage.commit([{ table: TABLE, key, value: new TextEncoder().encode(JSON.stringify(value)) }]);
}
