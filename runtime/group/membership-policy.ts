import type { PeerId } from '../id/peer-id.ts';

/**
 * How a peer becomes a member. `open`: by asking (JXTA's null membership). `code`: by a join code of an administrator.
 * `password`: by a password, proven by CPace and never sent. `approval`: when an administrator approves. `quorum`: when
 * `needed` of the `approvers` do; no administrator has to be there.
 */
export type MembershipPolicy =
  | { readonly type: 'open' }
  | { readonly type: 'code' }
  | { readonly type: 'password' }
  | { readonly type: 'approval' }
  | { readonly type: 'quorum'; readonly needed: number; readonly approvers: readonly PeerId[] };

export type MembershipPolicyType = MembershipPolicy['type'];
