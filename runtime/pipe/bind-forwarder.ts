import type { PeerId } from '../id/peer-id.ts';
import type { BindFrame } from '../wire/frame.ts';
import type { LinkPort } from './link-port.ts';

/** Takes BINDs for peers that are not here: a relay. */
export interface BindForwarder {
  /**
   * Forwards a BIND whose target is neither this peer nor hosted by it. `portTo` gives the pipes' side of the link to a
   * neighbour. Throws why it does not: `refused`, `unreachable`, `overloaded`.
   */
  forward(port: LinkPort, frame: BindFrame, portTo: (neighbour: PeerId) => LinkPort | undefined): void;
}
