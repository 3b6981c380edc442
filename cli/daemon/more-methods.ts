import type { ControlMethods } from '../control/control-server.ts';
import { administratorMethods } from './administrator-methods.ts';
import type { ControlledDaemon } from './control-methods.ts';
import { mailboxMethods } from './mailbox-methods.ts';

/** What the daemon of a whole build can do besides. */
export const moreMethods = (daemon: ControlledDaemon): ControlMethods => ({
  ...administratorMethods(daemon),
  ...mailboxMethods(daemon),
});
