import type { PeerId, Reading } from '@pipevine/runtime';
import type { Availability } from '../connector.ts';

/** What memory holds of a device: the description lies in the storage, the keys are derived when they are needed. */
export interface VirtualDevice {
  readonly connector: string;
  readonly key: string;
  readonly peer: PeerId;
  title: string;
  /** undefined: nobody has said since the start. */
  availability: Availability | undefined;
  /** Last value of each property since the start. */
  values: Map<string, Reading> | undefined;
  delegatedUntilMs: number;
  /** Whether its connector has named it since the start. */
  reported: boolean;
}
