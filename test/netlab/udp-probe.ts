/**
 * A UDP socket under remote control: `node udp-probe.ts udp4|udp6 PORT`. Prints `ready`, then each datagram that
 * arrives as one JSON line. Obeys lines on standard input, and prints `sent` when one is done:
 *
 *   send HOST PORT TEXT             one datagram
 *   burst HOST PORT COUNT BYTES     many, numbered, some at a time so that no buffer of this machine overflows
 */
import { createSocket } from 'node:dgram';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

const [family, port] = process.argv.slice(2);
const socket = createSocket(family === 'udp6' ? 'udp6' : 'udp4');
const AT_A_TIME = 20;

function send(payload: string, to: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(payload, to, host, (error) => (error === null ? resolve() : reject(error)));
  });
}

socket.on('message', (message, { address, port: from }) => {
  const text = message.toString();
  console.log(JSON.stringify({ address, port: from, text: text.trimEnd() }));
});

async function obey(line: string): Promise<void> {
  const [verb, host = '', to, ...rest] = line.split(' ');
  if (verb === 'send') await send(rest.join(' '), Number(to), host);
  const [count = 0, bytes = 0] = rest.map(Number);
  for (let number = 0; verb === 'burst' && number < count; number++) {
    await send(String(number).padEnd(bytes), Number(to), host);
    if (number % AT_A_TIME === AT_A_TIME - 1) await delay(1);
  }
  console.log('sent');
}

socket.bind(Number(port), () => {
  console.log('ready');
  createInterface(process.stdin).on('line', (line) => {
    obey(line).catch((error: Error) => console.log(`failed ${error.message}`));
  });
});
