import type { PeerInfoPolicy } from './peer-info.ts';

/** Name of the resolver's handler. */
export const PEER_INFO_HANDLER = 'peerinfo';

/** Load and uptime help whoever reads things; where the neighbours live is for those who run the group. */
export const PEER_INFO_POLICY: PeerInfoPolicy = { basics: 'members', links: 'administrators' };

/** Links told of: with the longest addresses they still fit into one answer of 48 KiB. */
export const MAX_INFO_LINKS = 64;
/** Groups told of. */
export const MAX_INFO_GROUPS = 64;
/** As in PeerInit. */
export const MAX_INFO_ROLES = 8;
/** Longest text of an answer, bytes of UTF-8: an address has 512 at most. */
export const MAX_INFO_TEXT_BYTES = 512;
/** Longest query, bytes: a map of one member, with room for what a later version asks. */
export const MAX_INFO_QUERY_BYTES = 64;
/** Longest answer, bytes. */
export const MAX_INFO_BYTES = 48 * 1024;
