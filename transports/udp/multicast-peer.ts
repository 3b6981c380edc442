// Opens the local network on loopback and answers what it hears. Run by the test of two processes.
import { networkInterfaces } from 'node:os';
import { udpLocalNetwork } from './udp-local-network.ts';

const network = udpLocalNetwork({
  port: Number(process.argv[2]),
  interfaces: () => ({ lo: networkInterfaces().lo ?? networkInterfaces().lo0 ?? [] }),
});
const session = await network.open({
  onPacket: ({ bytes }) => {
    const text = Buffer.from(bytes).toString();
    if (text.startsWith('ask')) session.send(new TextEncoder().encode(`answer to ${text}`));
  },
  onChange: () => undefined,
});
process.stdout.write('ready\n');
