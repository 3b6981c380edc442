import { BoardsError } from '../boards-error.ts';
import { BUNDLES, buildBundle } from '../bundle.ts';
import type { PeerProfile } from '../profiles/board-profile.ts';

/** The bundle that a service runs by Node; resolves with its path. */
export async function makeServiceBundle(profile: PeerProfile, folder: string): Promise<string> {
  const bundle = BUNDLES.find((each) => each.profile === profile);
  if (bundle === undefined) throw new BoardsError('usage', `there is no bundle for the profile "${profile}"`);
  return (await buildBundle(bundle, folder)).file;
}
