import { nodeCrypto, seededRandom, VirtualClock } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { encodeControlFrame } from '../wire/control-frame.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { failure, LinkTesting } from './testing/link-pair.ts';

const testing = new LinkTesting({ crypto: nodeCrypto, random: seededRandom, clock: () => new VirtualClock() });
const random = seededRandom('link fuzz');
const corpus = [
  Uint8Array.from([0x83, 0, 5, 0x42, 1, 2, 0x84, 1, 5, 0x40, 7]),
  encodeControlFrame({ type: 2, channel: 5, next: 17, limit: 65_536, ranges: [[19, 20]] }),
  encodeControlFrame({ type: 7, token: 1 }),
  encodeControlFrame({ type: 9 }),
  encodeControlFrame({ type: 6, channel: 1, code: 'not-found', reason: 'no' }),
  encodeCanonical([11, { x: [1.5, null] }]),
];

/** One or two of the corpus with a few bytes changed. */
function mutated(): Uint8Array {
  const pick = () => corpus[random.integer(corpus.length)] ?? new Uint8Array(0);
  const bytes = Uint8Array.from([...pick(), ...pick()]);
  for (let edits = random.integer(3); edits > 0; edits--) bytes[random.integer(bytes.length)] = random.integer(256);
  return bytes.subarray(0, bytes.length - random.integer(3));
}

describe('whatever comes', () => {
  it('an authenticated peer that sends nonsense costs its link and nothing else', async () => {
    for (let i = 0; i < 60; i++) {
      const { say, recorder } = await testing.linkToRawPeer();
      await say(mutated());
      expect(['', 'malformed', 'too-large', 'protocol', 'refused', 'not-found', 'done']).toContain(
        recorder.closed.join(),
      );
    }
  });

  it('a stranger that sends nonsense instead of a handshake gets one error, in bounded time', async () => {
    for (let i = 0; i < 60; i++) {
      const pair = testing.ends('stream');
      const accepted = failure(pair.accept());
      const message = random.bytes(random.integer(300));
      // Half of them with a length that fits and a pattern that exists, to get further.
      const input = i % 2 === 0 ? message : [0, Math.min(255, message.length + 1), i % 4 === 1 ? 0 : 1, ...message];
      pair.acceptor.deliver(Uint8Array.from(input));
      expect(await pair.clock.run(accepted)).toMatch(/^(forged|malformed|too-large|unsupported|timeout|protocol)$/);
      expect(pair.acceptor.state).toBe('aborted');
      expect(pair.clock.pendingTimers).toBe(0);
    }
  });
});
