import type { ThingSummary } from '@pipevine/runtime';

/** `msg.thing` of what comes from a thing. */
export interface AboutThing {
  readonly id: string;
  readonly title: string;
  readonly peer: string;
}

export const aboutThing = ({ id, title, peer }: ThingSummary): AboutThing => ({ id, title, peer });
