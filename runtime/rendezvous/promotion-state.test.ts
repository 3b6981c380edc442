import { describe, expect, it } from 'vitest';
import { nextPromotionDeadline, type PromotionFacts, type PromotionState, stepPromotion } from './promotion-state.ts';

const idle: PromotionState = { phase: 'idle' };
const alone: PromotionFacts = { mode: 'auto', capable: true, leased: false, others: 0, clients: 0 };
const step = (state: PromotionState, facts: Partial<PromotionFacts>, nowMs: number) =>
  stepPromotion(state, { ...alone, ...facts }, nowMs, () => 10_000);

describe('promotion to a rendezvous', () => {
  it('comes when no rendezvous has answered for the delay, and not when one does meanwhile', () => {
    const waiting = step(idle, {}, 1_000);
    expect(nextPromotionDeadline(waiting)).toBe(11_000);
    expect(step(waiting, {}, 10_999)).toEqual(waiting);
    expect(step(waiting, { leased: true }, 10_999)).toEqual(idle);
    expect(step(waiting, {}, 11_000).phase).toBe('serving');
    expect(step(idle, { leased: true }, 1_000)).toEqual(idle);
  });

  it('lets those go first that become known meanwhile', () => {
    const waiting = step(idle, {}, 1_000);
    const later = stepPromotion(waiting, alone, 5_000, () => 14_000);
    expect(nextPromotionDeadline(later)).toBe(15_000);
    expect(stepPromotion(later, alone, 14_999, () => 14_000).phase).toBe('alone');
  });

  it('never comes to one that may not serve, and ends when it may no more', () => {
    const serving = step(idle, { mode: 'always' }, 0);
    for (const facts of [{ capable: false }, { mode: 'never' }, { mode: 'always', capable: false }] as const) {
      expect(step(idle, facts, 0)).toEqual(idle);
      expect(step(serving, facts, 0)).toEqual(idle);
    }
  });

  it('is at once and for good in mode always', () => {
    const serving = step(idle, { mode: 'always', leased: true }, 0);
    expect(serving.phase).toBe('serving');
    expect(step(serving, { mode: 'always', others: 5 }, 1e9)).toEqual(serving);
    expect(nextPromotionDeadline(serving)).toBe(Infinity);
  });

  it('ends after ten minutes without clients while two others serve', () => {
    const serving: PromotionState = { phase: 'serving', idleSinceMs: undefined };
    const quiet = step(serving, { others: 2 }, 5_000);
    expect(nextPromotionDeadline(quiet)).toBe(605_000);
    expect(step(quiet, { others: 2 }, 604_999)).toEqual(quiet);
    expect(step(quiet, { others: 2 }, 605_000)).toEqual(idle);
    expect(step(quiet, { others: 2, clients: 1 }, 605_000)).toEqual(serving);
    expect(step(quiet, { others: 1 }, 605_000)).toEqual(serving);
  });
});
