import { checkDescription } from '../things/check-description.ts';
import type { AdminRoute } from './admin-route.ts';
import { inviteRoute } from './invite-route.ts';
import { listPeers } from './list-peers.ts';
import { listPipes } from './list-pipes.ts';
import { listThings } from './list-things.ts';
import { overlayReport } from './overlay-report.ts';
import { readValue } from './read-value.ts';
import { routeReport } from './route-report.ts';
import { stateReport } from './state-report.ts';
import { testPeer } from './test-peer.ts';

/** All that the editor may ask. Nothing is registered beside this table. */
export const ADMIN_ROUTES: readonly AdminRoute[] = [
  { method: 'get', path: '/pipevine/:peer/state', permission: 'pipevine.read', handle: stateReport },
  { method: 'get', path: '/pipevine/:peer/overlay', permission: 'pipevine.read', handle: overlayReport },
  { method: 'get', path: '/pipevine/:peer/value/:thing/:property', permission: 'pipevine.read', handle: readValue },
  { method: 'get', path: '/pipevine/:peer/things', permission: 'pipevine.read', handle: listThings },
  { method: 'get', path: '/pipevine/:peer/peers', permission: 'pipevine.read', handle: listPeers },
  { method: 'get', path: '/pipevine/:peer/pipes', permission: 'pipevine.read', handle: listPipes },
  { method: 'get', path: '/pipevine/:peer/route/:id', permission: 'pipevine.read', handle: routeReport },
  { method: 'post', path: '/pipevine/check-description', permission: 'pipevine.read', handle: checkDescription },
  { method: 'post', path: '/pipevine/peer/:peer/test', permission: 'pipevine.write', handle: testPeer },
  { method: 'post', path: '/pipevine/:peer/invite', permission: 'pipevine.write', handle: inviteRoute },
];
