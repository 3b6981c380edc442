import type { EndpointAddress, Storage } from '@pipevine/runtime';

/**
 * Addresses that this peer was told when it joined: where multicast does not reach, they lead back. Names of hosts among
 * them stay right when addresses change.
 */
const TABLE = 'cli-seed';
/** Few gateways, each with a few addresses; the oldest gives way. */
export const MAX_REMEMBERED_SEEDS = 16;

const text = new TextEncoder();

export function rememberedSeeds(storage: Storage): EndpointAddress[] {
  return [...storage.scan(TABLE)].map(([address]) => address);
}

/** Resolves when they would survive a power cut. */
export async function rememberSeeds(
  storage: Storage,
  addresses: readonly EndpointAddress[],
  nowMs: number,
): Promise<void> {
  const added = [...new Set(addresses)].slice(0, MAX_REMEMBERED_SEEDS);
  if (added.length === 0) return;
  const kept = [...storage.scan(TABLE)]
    .filter(([address]) => !added.includes(address))
    .map(([address, value]) => ({ address, at: Number(new TextDecoder().decode(value)) || 0 }))
    .sort((a, b) => b.at - a.at);
  const dropped = kept.slice(MAX_REMEMBERED_SEEDS - added.length);
  await storage.commit([
    ...added.map((key) => ({ table: TABLE, key, value: text.encode(String(nowMs)) })),
    ...dropped.map(({ address }) => ({ table: TABLE, key: address, value: undefined })),
  ]);
}
