import { type EndpointAddress, PipevineError } from '@pipevine/runtime';

/** How a peer becomes a member. */
export type WayIn =
  | { readonly type: 'code'; readonly code: string }
  /** An open group needs no password; of one that approves, somebody has to approve. */
  | { readonly type: 'group'; readonly group: string; readonly password: string }
  /** The gateway that `pipevine up` runs on this machine, by its data folder; empty: where the command line has it. */
  | { readonly type: 'local'; readonly home: string };

export type PeerProfile = 'edge' | 'gateway';

/** All that makes a session what it is: another value is another session. */
export interface SessionSettings {
  readonly name: string;
  readonly wayIn: WayIn;
  readonly seeds: readonly EndpointAddress[];
  readonly profile: PeerProfile;
  /** A gateway's addresses; an edge dials, and is not dialled. */
  readonly listen: readonly EndpointAddress[];
  /** Whether peers are looked for on the local network by multicast. */
  readonly multicast: boolean;
}

/** Where a gateway listens unless told otherwise: any free port, so that it meets no other gateway on the machine. */
const DEFAULT_LISTEN = 'tcp://0.0.0.0:0';

/** What a dialog or a flow file gives; nothing in it is sure. */
export interface SavedPeer {
  readonly name?: unknown;
  readonly join?: unknown;
  readonly group?: unknown;
  readonly home?: unknown;
  readonly seeds?: unknown;
  readonly profile?: unknown;
  readonly listen?: unknown;
  readonly multicast?: unknown;
}

export interface SavedCredentials {
  readonly code?: unknown;
  readonly password?: unknown;
}

/** Throws `invalid-argument`, saying what is missing. */
export function sessionSettings(saved: SavedPeer, credentials: SavedCredentials): SessionSettings {
  const profile = saved.profile === 'gateway' ? 'gateway' : 'edge';
  const listen = addresses(saved.listen);
  return {
    name: text(saved.name).slice(0, 64) || 'node-red',
    wayIn: wayIn(saved, credentials),
    seeds: addresses(saved.seeds),
    profile,
    listen: listen.length > 0 || profile === 'edge' ? listen : [DEFAULT_LISTEN],
    multicast: saved.multicast !== false,
  };
}

function wayIn(saved: SavedPeer, credentials: SavedCredentials): WayIn {
  switch (saved.join) {
    case 'local':
      return { type: 'local', home: text(saved.home) };
    case 'group': {
      const group = text(saved.group);
      if (group === '') throw new PipevineError('invalid-argument', 'The id of the group is missing in the peer.');
      return { type: 'group', group, password: text(credentials.password) };
    }
    default: {
      const code = text(credentials.code);
      if (code !== '') return { type: 'code', code };
      throw new PipevineError(
        'invalid-argument',
        'The join code is missing in the peer; `pipevine invite` at a gateway makes one, or choose the local gateway.',
      );
    }
  }
}

/** From a list, or a text with commas, spaces or lines. */
function addresses(value: unknown): EndpointAddress[] {
  const parts = Array.isArray(value) ? value.map(text) : text(value).split(/[\s,]+/);
  return [...new Set(parts.filter((part) => part !== ''))];
}

const text = (value: unknown) => (typeof value === 'string' ? value.trim() : '');
