import { expect, it } from 'vitest';
import { ProgressMeter } from './progress-meter.ts';

it('tells rate and time left', () => {
  let now = 1_000;
  const meter = new ProgressMeter('writing', () => now);
  expect(meter.at(0, 0, 1_000)).toMatchObject({ rate: undefined, leftMs: undefined, totalBytes: 1_000 });
  now += 1_000;
  expect(meter.at(100, 0.1, 1_000)).toMatchObject({ bytes: 100, rate: 100, leftMs: 9_000 });
  now += 1_000;
  expect(meter.at(1_000, 1, 1_000)).toMatchObject({ rate: 500, leftMs: 0 });
});

it('goes by the last ten seconds: cards begin fast', () => {
  let now = 0;
  const meter = new ProgressMeter('writing', () => now);
  for (let second = 1; second <= 60; second++) {
    now = second * 1_000;
    meter.at(1_000_000 + second * 10, 0.5 + second / 1_000, undefined);
  }
  now += 1_000;
  expect(meter.at(1_000_610, 0.561, undefined)).toMatchObject({ rate: 10, leftMs: 439_000, totalBytes: undefined });
});

it('says nothing of the time left while nothing moves', () => {
  let now = 0;
  const meter = new ProgressMeter('writing', () => now);
  now = 5_000;
  expect(meter.at(0, 0, 10)).toMatchObject({ rate: 0, leftMs: undefined });
});
