import { seededRandom } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { type PeerId, peerIdFromBytes } from '../id/peer-id.ts';
import {
  nextPeerviewDeadline,
  type Peerview,
  type PeerviewInput,
  ringOf,
  stepPeerview,
  wantedOf,
} from './peerview-state.ts';
import { MAX_PEERVIEW, MAX_RESTING, MAX_TOLD_BY_ONE } from './rendezvous-defaults.ts';

const peerOf = (name: string | number) => peerIdFromBytes(seededRandom(name).bytes(32));
const [a, b, c] = [peerOf('a'), peerOf('b'), peerOf('c')];
const empty: Peerview = new Map();

function run(view: Peerview, ...inputs: readonly (readonly [PeerviewInput, number])[]): Peerview {
  return inputs.reduce((before, [input, nowMs]) => stepPeerview(before, input, nowMs), view);
}
const told = (by: PeerId, ...peers: PeerId[]): PeerviewInput => ({ type: 'told', by, peers });
const said = (type: 'confirmed' | 'refused' | 'lost', peer: PeerId): PeerviewInput => ({ type, peer });
const timer: PeerviewInput = { type: 'timer' };

describe('the view that a rendezvous has of the others', () => {
  it('takes into the ring who has spoken itself, and only seeks who was told of', () => {
    const view = run(empty, [told(a, b), 0], [said('confirmed', c), 0]);
    expect(ringOf(view)).toEqual([c]);
    expect(wantedOf(view)).toEqual([b, c]);
    expect(ringOf(run(view, [said('confirmed', b), 1]))).toEqual([b, c]);
  });

  it('keeps one in the ring whose link is back within 3 s, and seeks it on for 15 minutes if not', () => {
    const view = run(empty, [said('confirmed', a), 0], [said('lost', a), 1_000]);
    expect(nextPeerviewDeadline(view)).toBe(4_000);
    expect(ringOf(run(view, [timer, 3_999]))).toEqual([a]);
    expect(run(view, [said('confirmed', a), 3_999], [timer, 4_000]).get(a)?.phase).toBe('member');
    const gone = run(view, [timer, 4_000]);
    expect(ringOf(gone)).toEqual([]);
    expect(wantedOf(gone)).toEqual([a]);
    expect(wantedOf(run(gone, [timer, 903_999]))).toEqual([a]);
    expect(wantedOf(run(gone, [timer, 904_000]))).toEqual([]);
    expect(ringOf(run(gone, [said('confirmed', a), 300_000]))).toEqual([a]);
  });

  it('does not believe hearsay about one that said no, but believes that one itself', () => {
    const view = run(empty, [said('confirmed', a), 0], [said('refused', a), 0], [told(b, a), 1]);
    expect(wantedOf(view)).toEqual([]);
    expect(ringOf(run(view, [said('confirmed', a), 2]))).toEqual([a]);
    const forgotten = run(view, [timer, 300_000], [told(b, a), 300_001]);
    expect(wantedOf(forgotten)).toEqual([a]);
    expect(wantedOf(run(forgotten, [timer, 360_001]))).toEqual([]);
  });

  it('loses only members', () => {
    const view = run(empty, [told(a, b), 0]);
    expect(run(view, [said('lost', b), 1], [said('lost', c), 1])).toEqual(view);
  });

  it('is bounded whatever others invent, and leaves room for who is there', () => {
    let view: Peerview = run(empty, [said('confirmed', a), 0]);
    for (let liar = 0; liar < 10; liar++) {
      for (let round = 0; round < 5; round++) {
        const invented = Array.from({ length: 500 }, (_, i) => peerOf(`${liar} ${round} ${i}`));
        view = stepPeerview(view, told(peerOf(liar), ...invented), round);
        if (liar === 0) expect(wantedOf(view)).toHaveLength(1 + MAX_TOLD_BY_ONE);
      }
    }
    expect(wantedOf(view)).toHaveLength(MAX_PEERVIEW);
    view = run(view, [said('confirmed', b), 10]);
    expect(ringOf(view)).toEqual([a, b]);
    expect(wantedOf(view)).toHaveLength(MAX_PEERVIEW);
    view = run(view, [timer, 70_000]);
    expect(wantedOf(view)).toEqual([a, b]);
    for (let i = 0; i < 2 * MAX_RESTING; i++) view = stepPeerview(view, said('refused', peerOf(i)), 70_000);
    expect(view.size).toBe(2 + MAX_RESTING);
  });

  it('takes no more members than its bound', () => {
    let view = empty;
    for (let i = 0; i < MAX_PEERVIEW + 5; i++) view = stepPeerview(view, said('confirmed', peerOf(i)), 0);
    expect(ringOf(view)).toHaveLength(MAX_PEERVIEW);
    expect(nextPeerviewDeadline(view)).toBe(Infinity);
  });
});
