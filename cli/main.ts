import { runProcess } from './run-process.ts';

/** The whole of Pipevine: an edge or a gateway. */
runProcess({
  loadGateway: () => import('./daemon/gateway.ts'),
  drawQrCode: async (text) => (await import('./output/qr-code.ts')).qrCode(text),
});
