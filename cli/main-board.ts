import { FIRST_BOOT_COMMANDS } from './commands/first-boot-commands.ts';
import { MAILBOX_COMMANDS } from './commands/mailbox-commands.ts';
import { runProcess } from './run-process.ts';

/** An edge peer of a board: shows the board as a thing, and is reached wherever it stands. Without TLS, and so on small memory. */
runProcess({
  loadReach: async () => (await import('./daemon/board-reach.ts')).boardReach,
  loadBoard: () => import('./daemon/board-thing.ts'),
  moreCommands: {
    commands: [...FIRST_BOOT_COMMANDS, ...MAILBOX_COMMANDS],
    loadMethods: async () => (await import('./daemon/mailbox-methods.ts')).mailboxMethods,
  },
});
