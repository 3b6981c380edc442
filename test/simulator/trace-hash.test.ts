import { describe, expect, it } from 'vitest';
import { TraceHash } from './trace-hash.ts';

interface Delivery {
  atMs?: number;
  from?: string;
  to?: string;
  bytes?: Uint8Array;
}

function traceOf(deliveries: readonly Delivery[], facts: readonly string[] = []): string {
  const trace = new TraceHash();
  for (const { atMs = 1, from = 'a', to = 'b', bytes = new Uint8Array(40) } of deliveries) {
    trace.delivered(atMs, from, to, bytes);
  }
  trace.note(9, facts);
  return trace.digest();
}

describe('the hash of a trace', () => {
  it('is the same for the same events', () => {
    expect(traceOf([{}, {}])).toBe(traceOf([{}, {}]));
  });

  it('differs by time, hosts, length, first and last bytes, facts, and the number of events', () => {
    const first = [{ from: 'a', to: 'b' }];
    const last = new Uint8Array(40);
    last[39] = 1;
    const traces = [
      traceOf(first),
      traceOf([...first, {}]),
      traceOf([...first, { atMs: 1.5 }]),
      traceOf([...first, { from: 'b' }]),
      traceOf([...first, { to: 'a' }]),
      traceOf([...first, { bytes: new Uint8Array(41) }]),
      traceOf([...first, { bytes: new Uint8Array(40).fill(1, 0, 1) }]),
      traceOf([...first, { bytes: last }]),
      traceOf([...first, {}], ['joined']),
    ];
    expect(new Set(traces).size).toBe(traces.length);
  });

  it('takes more events than its buffer holds, in their order', () => {
    const many = Array.from({ length: 5_000 }, (_, i) => ({ atMs: i }));
    const swapped = many.with(100, { atMs: 101 }).with(101, { atMs: 100 });
    expect(traceOf(many)).toBe(traceOf([...many]));
    expect(traceOf(swapped)).not.toBe(traceOf(many));
  });
});
