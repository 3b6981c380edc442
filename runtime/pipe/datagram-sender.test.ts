import { VirtualClock } from '@pipevine/transports';
import { describe, expect, test } from 'vitest';
import { DatagramSender } from './datagram-sender.ts';
import { SendBuffer } from './send-buffer.ts';

const PACKET_BYTES = 1_000;
const ROUND_TRIP_MS = 40;

/** A sender whose path takes each frame as a packet, with a round trip measured and so many frames under way. */
async function underWay(frames: number) {
  const clock = new VirtualClock();
  const buffer = new SendBuffer();
  const sent: number[] = [];
  const carrier = {
    ordered: false,
    maxPayloadBytes: PACKET_BYTES,
    blocked: false,
    window: undefined,
    sendData: (_: Uint8Array, sequence: number | undefined) => void sent.push(sequence ?? -1),
    wantTurn: () => {},
  };
  const sender = new DatagramSender(buffer, carrier, { limit: Infinity }, clock);
  const queue = (): void => {
    const payload = new Uint8Array(PACKET_BYTES - 16);
    buffer.append(payload, PACKET_BYTES);
    sender.queued();
  };
  const acknowledge = (next: number, ranges: readonly (readonly [number, number])[] = []): void => {
    buffer.release(next);
    sender.acknowledged({ next, ranges });
    sender.pump(Infinity);
  };
  queue();
  await clock.runFor(ROUND_TRIP_MS);
  acknowledge(1);
  for (let i = 0; i < frames; i++) queue();
  await clock.runFor(ROUND_TRIP_MS / 4);
  expect(sent).toEqual([...Array(frames + 1).keys()]);
  sent.length = 0;
  return { clock, sender, sent, acknowledge };
}

describe('what was sent again', () => {
  test('and is acknowledged sooner than a round trip takes arrived the first time: nothing else counts as lost', async () => {
    const { clock, sender, sent, acknowledge } = await underWay(4);
    await clock.runUntil(() => sent.length > 0, 1_000);
    expect(sent).toEqual([1]);
    await clock.runFor(ROUND_TRIP_MS / 10);
    acknowledge(2);
    await clock.runFor(ROUND_TRIP_MS / 10);
    acknowledge(5);
    await clock.runFor(2_000);
    expect(sent).toEqual([1]);
    sender.stop();
  });

  test('and is acknowledged a round trip later arrived the second time: what was sent before is lost, and sent again', async () => {
    const { clock, sender, sent, acknowledge } = await underWay(6);
    await clock.runUntil(() => sent.length > 0, 1_000);
    await clock.runFor(ROUND_TRIP_MS);
    sent.length = 0;
    acknowledge(2);
    await clock.runFor(10);
    expect(sent.slice(0, 3)).toEqual([3, 4, 5]);
    sender.stop();
  });
});

describe('a timer that comes late because the process was held up', () => {
  test('lets what has come meanwhile be read before anything is sent again', async () => {
    const { clock, sender, sent, acknowledge } = await underWay(4);
    holdUp(clock, () => acknowledge(5));
    await clock.runFor(1_000);
    expect(sent).toEqual([]);
    sender.stop();
  });

  test('has the oldest sent again when nothing has come', async () => {
    const { clock, sender, sent } = await underWay(4);
    holdUp(clock, () => {});
    await clock.runFor(250);
    expect(sent[0]).toBe(1);
    sender.stop();
  });
});

/** The next timer finds that ten seconds have passed; then what the sockets hold is read. */
function holdUp(clock: VirtualClock, read: () => void): void {
  const monotonicMs = clock.monotonicMs.bind(clock);
  const setTimer = clock.setTimer.bind(clock);
  clock.monotonicMs = () => monotonicMs() + 10_000;
  clock.setTimer = (delayMs, callback) => {
    clock.setTimer = setTimer;
    setTimer(0, read);
    return setTimer(delayMs, callback);
  };
}
