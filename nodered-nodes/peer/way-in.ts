import {
  base32Encode,
  type EndpointAddress,
  type GroupId,
  type Peer,
  type PeerGroup,
  parseGroupId,
  parseJoinCode,
  type Storage,
} from '@pipevine/runtime';
import { askForInvitation, defaultGatewayHome, gatewayAddresses } from './local-gateway.ts';
import type { Environment } from './open-peer.ts';
import { rememberAddresses, rememberedAddresses, rememberedMembership, rememberMembership } from './session-memory.ts';
import type { SessionSettings, WayIn } from './session-settings.ts';

const JOIN_TIMEOUT_MS = 15_000;

/** Names a way in without its secret: another code of the same group is the same way. Throws `invalid-argument`. */
export function wayInName(wayIn: WayIn, env: Environment): string {
  switch (wayIn.type) {
    case 'code':
      return `code:${base32Encode(parseJoinCode(wayIn.code).fingerprint)}`;
    case 'group':
      return `group:${parseGroupId(wayIn.group)}`;
    case 'local':
      return `local:${homeOf(wayIn, env)}`;
  }
}

/** Addresses that lead into the overlay: those of the settings, of the code's link, and where the local gateway is. */
export async function knownSeeds(
  settings: SessionSettings,
  storage: Storage,
  env: Environment,
  signal: AbortSignal,
): Promise<readonly EndpointAddress[]> {
  const { wayIn, seeds } = settings;
  if (wayIn.type === 'code') return [...new Set([...seeds, ...parseJoinCode(wayIn.code).seeds])];
  if (wayIn.type === 'group') return seeds;
  let found: readonly EndpointAddress[] = rememberedAddresses(storage);
  try {
    found = await gatewayAddresses(homeOf(wayIn, env), signal);
    await rememberAddresses(storage, found);
  } catch {
    // It may come later, where it was or where multicast shows it; joining says what is wrong.
  }
  return [...new Set([...seeds, ...found])];
}

/** The group that this way led into before, if this peer is still a member. */
export function presentGroup(peer: Peer, storage: Storage, wayIn: WayIn, env: Environment): PeerGroup | undefined {
  if (wayIn.type === 'group') return peer.group(parseGroupId(wayIn.group));
  const remembered = rememberedMembership(storage);
  if (remembered?.by !== wayInName(wayIn, env)) return undefined;
  if (remembered.group !== undefined) return peer.group(parseGroupId(remembered.group));
  // It joined, and ended before it could write down which group that was.
  const [only, ...others] = peer.groups.filter(({ credential }) => credential !== undefined);
  return others.length === 0 ? only : undefined;
}

/** Becomes a member. Undefined while somebody has to approve it; the peer goes on asking. Rejects as `Peer.join` does. */
export async function joinBy(
  peer: Peer,
  storage: Storage,
  settings: SessionSettings,
  env: Environment,
  signal: AbortSignal,
): Promise<PeerGroup | undefined> {
  const { wayIn } = settings;
  const by = wayInName(wayIn, env);
  await rememberMembership(storage, { by });
  const wait = { signal, timeoutMs: JOIN_TIMEOUT_MS };
  const remember = async (group: PeerGroup) => {
    await rememberMembership(storage, { by, group: group.id });
    return group;
  };
  switch (wayIn.type) {
    case 'code': {
      const addresses = [...settings.seeds, ...parseJoinCode(wayIn.code).seeds];
      return remember(await peer.join(wayIn.code, { addresses, ...wait }));
    }
    case 'group': {
      const group: GroupId = parseGroupId(wayIn.group);
      const password = wayIn.password === '' ? {} : { password: wayIn.password };
      const result = await peer.joinGroup(group, { addresses: settings.seeds, ...password, ...wait });
      return result.state === 'joined' ? remember(result.group) : undefined;
    }
    case 'local': {
      const { code, addresses } = await askForInvitation(homeOf(wayIn, env), signal);
      await rememberAddresses(storage, addresses);
      return remember(await peer.join(code, { addresses: [...settings.seeds, ...addresses], ...wait }));
    }
  }
}

const homeOf = (wayIn: Extract<WayIn, { type: 'local' }>, env: Environment): string =>
  wayIn.home === '' ? defaultGatewayHome(env) : wayIn.home;
