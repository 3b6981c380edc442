import { MemoryNetwork, VirtualClock } from '@pipevine/transports';
import { type TransportFixture, transportCompliance } from './transport-compliance.ts';

function memoryFixture(scheme: 'mem' | 'memd'): () => Promise<TransportFixture> {
  return async () => {
    const clock = new VirtualClock();
    const network = new MemoryNetwork({ clock, seed: 1, conditions: { cutting: 0.3 } });
    const transportOf = (host: string) => {
      const transport = network.boot(host).transports.find(({ schemes }) => schemes.includes(scheme));
      if (transport === undefined) throw new Error(`No transport for ${scheme}`);
      return transport;
    };
    const dialling = transportOf('a');
    const listening = transportOf('b');
    network.host('hole').boot();
    network.isolate('hole');
    return {
      dialling,
      listening,
      listenAddress: `${scheme}://b:0`,
      wildcardAddress: `${scheme}://*:0`,
      silentAddress: `${scheme}://b:9`,
      blackHoleAddress: `${scheme}://hole`,
      malformedAddresses: ['mem:/b', `${scheme}://`, `${scheme}://b:99999`, 'tcp://127.0.0.1:1', `${scheme}://b/c`],
      until: (isDone, what) => clock.runUntil(isDone, 60_000, what),
      settled: (promise) => clock.run(promise, 60_000),
      quiet: () => clock.runFor(5000),
      close: async () => undefined,
    };
  };
}

transportCompliance('the memory stream', { kind: 'stream', hasBlackHole: true }, memoryFixture('mem'));
transportCompliance('the memory datagram', { kind: 'datagram', hasBlackHole: false }, memoryFixture('memd'));
