import { buildBundle, bundleFor } from '../bundle.ts';
import type { PeerProfile } from '../profiles/board-profile.ts';

/** The bundle that a service runs by Node; resolves with its path. */
export async function makeServiceBundle(profile: PeerProfile, folder: string): Promise<string> {
  return (await buildBundle(bundleFor(profile), folder)).file;
}
