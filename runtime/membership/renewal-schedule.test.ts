import { describe, expect, it } from 'vitest';
import { newRenewalState, renewalFailed, renewalStep } from './renewal-schedule.ts';

const DAY = 86_400_000;
const credential = { notBeforeMs: 0, notAfterMs: 45 * DAY };
const at = (wallMs: number, monotonicMs = wallMs) => ({ wallMs, monotonicMs });

describe('the renewal schedule', () => {
  const member = { credential, authority: false };

  it('waits for the 7th day, spread over a tenth, or half of a short life', () => {
    expect(renewalStep(newRenewalState(0), member, at(7 * DAY - 1)).type).toBe('wait');
    expect(renewalStep(newRenewalState(0), member, at(7 * DAY)).type).toBe('renew');
    expect(renewalStep(newRenewalState(0.99), member, at(7 * DAY)).type).toBe('wait');
    expect(renewalStep(newRenewalState(0.99), member, at(7.7 * DAY)).type).toBe('renew');
    const short = { credential: { notBeforeMs: 0, notAfterMs: DAY }, authority: false };
    expect(renewalStep(newRenewalState(0), short, at(DAY / 2)).type).toBe('renew');
  });

  it('asks at once for what was changed, and then with the pauses of any failure', () => {
    const changed = { ...member, changed: true };
    expect(renewalStep(newRenewalState(0), changed, at(0)).type).toBe('renew');
    expect(renewalStep(renewalFailed(newRenewalState(0), 0, 1), changed, at(0)).type).toBe('wait');
  });

  it('looks at the wall clock every hour at least, for it may step', () => {
    expect(renewalStep(newRenewalState(0), member, at(0))).toEqual({ type: 'wait', delayMs: 3_600_000 });
    expect(renewalStep(newRenewalState(0), member, at(7 * DAY - 5))).toEqual({ type: 'wait', delayMs: 5 });
  });

  it('backs off from a minute to an hour, with jitter', () => {
    let state = newRenewalState(0);
    const pauses: number[] = [];
    for (let i = 0; i < 9; i++) {
      state = renewalFailed(state, 0, 1);
      pauses.push(state.notBeforeMs / 60_000);
    }
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
    expect(renewalFailed(newRenewalState(0), 0, 0).notBeforeMs).toBe(30_000);
    const step = renewalStep(renewalFailed(newRenewalState(0), 5, 1), member, at(20 * DAY, 5));
    expect(step).toEqual({ type: 'wait', delayMs: 60_000 });
  });

  it('goes on for 30 days after the end, and without end for who keeps the authority', () => {
    expect(renewalStep(newRenewalState(0), member, at(75 * DAY - 1)).type).toBe('renew');
    expect(renewalStep(newRenewalState(0), member, at(75 * DAY)).type).toBe('lapsed');
    expect(renewalStep(newRenewalState(0), { credential, authority: true }, at(400 * DAY)).type).toBe('renew');
  });
});
