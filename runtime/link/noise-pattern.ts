/** One token of a message pattern (Noise, revision 34, section 7.1). */
export type NoiseToken = 'e' | 's' | 'ee' | 'es' | 'se' | 'ss';

/** A handshake pattern: what is known before, and what each message carries; the initiator sends the first. */
export interface NoisePattern {
  readonly name: 'XX' | 'IK' | 'X';
  /** Whether the initiator knows the responder's static key beforehand (the pre-message `<- s`). */
  readonly knowsResponder: boolean;
  readonly messages: readonly (readonly NoiseToken[])[];
}

/** Neither side knows the other's static key; both prove theirs. */
export const NOISE_XX: NoisePattern = {
  name: 'XX',
  knowsResponder: false,
  messages: [['e'], ['e', 'ee', 's', 'es'], ['s', 'se']],
};

/** The initiator knows the responder's static key: a round trip less. */
export const NOISE_IK: NoisePattern = {
  name: 'IK',
  knowsResponder: true,
  messages: [
    ['e', 'es', 's', 'ss'],
    ['e', 'ee', 'se'],
  ],
};

/** One message to a peer that is away; the sender is authenticated, nothing comes back. */
export const NOISE_X: NoisePattern = {
  name: 'X',
  knowsResponder: true,
  messages: [['e', 'es', 's', 'ss']],
};
