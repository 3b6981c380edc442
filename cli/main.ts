import { ADMINISTRATOR_COMMANDS } from './commands/administrator-commands.ts';
import { runProcess } from './run-process.ts';

/** The whole of Pipevine: an edge or a gateway. */
runProcess({
  loadGateway: () => import('./daemon/gateway.ts'),
  loadTransports: async () => (await import('./daemon/more-transports.ts')).moreTransports,
  administration: {
    commands: ADMINISTRATOR_COMMANDS,
    loadMethods: async () => (await import('./daemon/administrator-methods.ts')).administratorMethods,
  },
  drawQrCode: async (text) => (await import('./output/qr-code.ts')).qrCode(text),
});
