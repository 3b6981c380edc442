import type { Credential } from '../../runtime/group/group-access.ts';

/** What the kill test says to the relay's process. */
export type ToRelay =
  | { readonly type: 'request'; readonly call: number; readonly body: Uint8Array; readonly credential: Credential }
  | { readonly type: 'cancel'; readonly call: number };

/** What the relay's process says. */
export type FromRelay =
  | { readonly type: 'ready' }
  | { readonly type: 'answer'; readonly call: number; readonly body: Uint8Array }
  | { readonly type: 'end'; readonly call: number }
  | { readonly type: 'failure'; readonly call: number; readonly message: string };
