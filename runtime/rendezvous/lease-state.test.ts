import { seededRandom } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { peerIdFromBytes } from '../id/peer-id.ts';
import {
  type LeaseEffect,
  type LeaseInput,
  type LeaseState,
  leaseOf,
  nextLeaseDeadline,
  soughtSince,
  stepLease,
} from './lease-state.ts';

const peerOf = (name: string) => peerIdFromBytes(seededRandom(name).bytes(32));
const [a, b, c] = [peerOf('a'), peerOf('b'), peerOf('c')];
const first = Uint8Array.of(1, 1, 1, 1, 1, 1, 1, 1);
const second = Uint8Array.of(2, 2, 2, 2, 2, 2, 2, 2);

/** Runs inputs one after the other, each at its time. */
class Machine {
  state: LeaseState = { phase: 'off' };
  effect: LeaseEffect | undefined;
  candidates = [a, b];
  nowMs = 0;

  input(input: LeaseInput, nowMs = this.nowMs): this {
    this.nowMs = nowMs;
    const step = stepLease(this.state, input, () => this.candidates, nowMs, 0.5);
    this.state = step.state;
    this.effect = step.effect;
    return this;
  }

  timer(): this {
    return this.input({ type: 'timer' }, Math.max(this.nowMs, nextLeaseDeadline(this.state)));
  }

  leased(): this {
    return this.input({ type: 'start' }).timer().input(granted(a, first));
  }
}

const granted = (peer: typeof a, leaseId: Uint8Array): LeaseInput => ({
  type: 'granted',
  peer,
  leaseId,
  lifetimeMs: 600_000,
  renewInMs: Infinity,
});

describe('a lease, as its client sees it', () => {
  it('is asked for at once, of the best candidate, and renewed at half its lifetime by its id', () => {
    const machine = new Machine().input({ type: 'start' }).timer();
    expect(machine.effect).toEqual({ type: 'ask', peer: a, leaseId: undefined });
    machine.input(granted(a, first));
    expect(leaseOf(machine.state)).toEqual({ peer: a, leaseId: first, untilMs: 600_000 });
    expect(nextLeaseDeadline(machine.state)).toBeGreaterThanOrEqual(240_000);
    expect(nextLeaseDeadline(machine.state)).toBeLessThanOrEqual(300_000);
    machine.timer();
    expect(machine.effect).toMatchObject({ type: 'ask', peer: a, leaseId: first });
    expect(leaseOf(machine.state)?.peer).toBe(a);
  });

  it('is sought at the next candidate when one fails, and from the first again after a pause of at most 1 s', () => {
    const machine = new Machine().input({ type: 'start' }).timer().input({ type: 'failed', peer: a });
    expect(nextLeaseDeadline(machine.state)).toBe(0);
    expect(machine.timer().effect).toMatchObject({ peer: b });
    machine.input({ type: 'failed', peer: b }).timer();
    expect(machine.effect).toBeUndefined();
    expect(nextLeaseDeadline(machine.state)).toBeLessThanOrEqual(1_000);
    expect(machine.timer().effect).toMatchObject({ peer: a });
  });

  it('is sought less often after ten minutes in vain', () => {
    const machine = new Machine().input({ type: 'start' });
    machine.nowMs = 600_001;
    machine.timer().input({ type: 'failed', peer: a }).timer().input({ type: 'failed', peer: b }).timer();
    expect(nextLeaseDeadline(machine.state)).toBeGreaterThan(600_001 + 10_000);
    expect(machine.input({ type: 'hint', peer: c }).timer().nowMs).toBeLessThan(600_001 + 201);
  });

  it('waits for a hint, not for a time, when nobody could be asked', () => {
    const machine = new Machine();
    machine.candidates = [];
    machine.input({ type: 'start' }).timer();
    expect(nextLeaseDeadline(machine.state)).toBe(Infinity);
    expect(soughtSince(machine.state)).toBeUndefined();
    machine.candidates = [c];
    expect(machine.input({ type: 'hint', peer: c }, 70).timer().effect).toMatchObject({ type: 'ask', peer: c });
    expect(machine.nowMs).toBe(70);
    expect(soughtSince(machine.state)).toBe(0);
    expect(soughtSince(machine.input(granted(c, first)).state)).toBeUndefined();
  });

  it('is sought elsewhere within 200 ms when the rendezvous is gone, or will not renew', () => {
    const gone = new Machine().leased().input({ type: 'lost', peer: a }, 5_000);
    expect(leaseOf(gone.state)).toBeUndefined();
    expect(nextLeaseDeadline(gone.state)).toBeLessThanOrEqual(5_200);
    expect(gone.timer().effect).toMatchObject({ type: 'ask', peer: b, leaseId: undefined });
    const refused = new Machine().leased().timer().input({ type: 'failed', peer: a });
    expect(refused.timer().effect).toMatchObject({ type: 'ask', peer: b });
  });

  it('stays when another rendezvous comes, goes, or answers late', () => {
    const machine = new Machine().leased();
    const { state } = machine;
    for (const input of [
      { type: 'hint', peer: b },
      { type: 'lost', peer: b },
      { type: 'failed', peer: a },
      { type: 'failed', peer: b },
      { type: 'start' },
    ] as const) {
      expect(machine.input(input).state).toBe(state);
      expect(machine.effect).toBeUndefined();
    }
  });

  it('is given back when it was granted to nobody who waits, but never the current one', () => {
    const machine = new Machine().leased().input(granted(b, second));
    expect(machine.effect).toEqual({ type: 'cancel', peer: b, leaseId: second });
    expect(machine.input(granted(a, first)).effect).toBeUndefined();
    expect(machine.input({ type: 'stop' }).effect).toMatchObject({ type: 'cancel', peer: a, leaseId: first });
    expect(machine.input(granted(a, second)).effect).toEqual({ type: 'cancel', peer: a, leaseId: second });
    expect(machine.state).toEqual({ phase: 'off' });
  });

  it('tries one again that failed in this round once it is there anew', () => {
    const machine = new Machine().input({ type: 'start' }).timer().input({ type: 'failed', peer: a }).timer();
    machine.input({ type: 'hint', peer: a }).input({ type: 'failed', peer: b });
    expect(machine.timer().effect).toMatchObject({ type: 'ask', peer: a });
  });

  it('survives any order of inputs with one question at a time', () => {
    const random = seededRandom('orders');
    const machine = new Machine();
    const inputs: LeaseInput[] = [
      { type: 'start' },
      { type: 'stop' },
      { type: 'timer' },
      ...[a, b].flatMap((peer): LeaseInput[] => [
        { type: 'hint', peer },
        { type: 'failed', peer },
        { type: 'lost', peer },
        granted(peer, first),
        granted(peer, second),
      ]),
    ];
    for (let i = 0; i < 20_000; i++) {
      const before = machine.state;
      machine.input(inputs[random.integer(inputs.length)] as LeaseInput, machine.nowMs + random.integer(500)); // In range.
      if (machine.effect?.type === 'ask') expect(before.phase === 'asking' || before.phase === 'renewing').toBe(false);
      const { phase } = machine.state;
      if (phase === 'seeking' || phase === 'leased') expect(nextLeaseDeadline(machine.state)).not.toBeNaN();
    }
  });
});
