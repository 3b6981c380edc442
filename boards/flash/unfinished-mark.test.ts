import { describe, expect, it } from 'vitest';
import { decodeMark, encodeMark } from './unfinished-mark.ts';

const MARK = { image: 'pi.img.xz', began: '2026-11-21T20:00:00.000Z' };

describe('the mark of an unfinished card', () => {
  it('is read as it was written, and is no partition table', () => {
    const sector = new Uint8Array(4_096);
    sector.set(encodeMark(MARK));
    expect(decodeMark(sector)).toEqual(MARK);
    expect([...sector.subarray(510, 512)]).toEqual([0, 0]);
  });

  it('fits whatever the image is called', () => {
    const bytes = encodeMark({ ...MARK, image: '\u0001'.repeat(5_000) });
    expect(bytes.length).toBeLessThanOrEqual(4_096);
    expect(decodeMark(bytes)?.image).toHaveLength(200);
  });

  it.each([
    ['nothing', ''],
    ['zeros', '\0'.repeat(512)],
    ['another head', 'PIPEVINE UNFINISHED CARD 2\n{}\nThis card'],
    ['no end', 'PIPEVINE UNFINISHED CARD 1\n{"image":"a","began":"2026-11-21T20:00:00.000Z"}'],
  ])('is not seen in %s', (_what, text) => {
    expect(decodeMark(new TextEncoder().encode(text))).toBeUndefined();
  });

  it.each(['null', '[]', '{', '{"image":1,"began":"2026-11-21"}', '{"image":"a","began":"soon"}', '{"image":"a"}'])(
    'is not believed when it says %s',
    (json) => {
      const text = new TextDecoder().decode(encodeMark(MARK)).replace(/\{.*\}/, json);
      expect(decodeMark(new TextEncoder().encode(text))).toBeUndefined();
    },
  );
});
