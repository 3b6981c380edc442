import { ADMINISTRATOR_COMMANDS } from './commands/administrator-commands.ts';
import { BOARD_COMMANDS } from './commands/board-commands.ts';
import { FIRST_BOOT_COMMANDS } from './commands/first-boot-commands.ts';
import { MAILBOX_COMMANDS } from './commands/mailbox-commands.ts';
import { runProcess } from './run-process.ts';

/** The whole of Pipevine: an edge or a gateway. */
runProcess({
  loadGateway: () => import('./daemon/gateway.ts'),
  loadReach: async () => (await import('./daemon/more-transports.ts')).moreTransports,
  loadBoard: () => import('./daemon/board-thing.ts'),
  moreCommands: {
    commands: [...ADMINISTRATOR_COMMANDS, ...BOARD_COMMANDS, ...FIRST_BOOT_COMMANDS, ...MAILBOX_COMMANDS],
    loadMethods: async () => (await import('./daemon/more-methods.ts')).moreMethods,
  },
  drawQrCode: async (text) => (await import('./output/qr-code.ts')).qrCode(text),
});
