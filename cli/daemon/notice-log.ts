import { type PeerNotice, shortPeerId } from '@pipevine/runtime';
import type { Log } from './log.ts';

/** What happens to the peer, as lines of the log. */
export function logPeerNotice(log: Log, notice: PeerNotice): void {
  switch (notice.type) {
    case 'neighbour-up':
      log.info(`peer connected: ${shortPeerId(notice.peer)} at ${notice.address}`);
      return;
    case 'neighbour-down':
      log.info(`peer gone: ${shortPeerId(notice.peer)}`);
      return;
    case 'group-joined':
      log.info(`joined ${notice.name}`);
      return;
    case 'group-left':
      log.info(`left the group ${notice.group}`);
      return;
    case 'renewal-failed':
      log.warn(
        `membership not renewed: ${notice.error.message}${notice.error.code === 'revoked' ? '' : '; trying again'}`,
      );
      return;
    case 'application-ended':
      log.warn(`not a member of ${notice.name}: ${notice.error.message}`);
      return;
    case 'multicast-unavailable':
      log.warn(`no multicast: ${notice.error.message}`);
      return;
    case 'error':
      log.error(notice.error.message);
  }
}
