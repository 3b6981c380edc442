/** What makes an application of this peer the same wherever and however often it is made. */
export interface OwnApplication {
  /** 16 random bytes. */
  readonly nonce: Uint8Array;
  /** By the wall clock of the first administrator or approver that answered; undefined until then. */
  askedAtMs: number | undefined;
}
