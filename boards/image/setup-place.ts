import { BoardsError } from '../boards-error.ts';
import { beginsBoardSetup, isBoardSetupAt, SETUP_BYTES } from '../setup/board-setup.ts';
import { type Partition, type ReadAt, SECTOR_BYTES } from './disk/partition-table.ts';

const STEP_BYTES = 4 * 2 ** 20;

/**
 * Where the one setup of a boot partition stands, as an offset of the image: in one piece, at the start of a sector, so that it
 * can be changed in the stream. Throws `refused` where it is in pieces, or a second one is left over.
 */
export async function findSetup(readAt: ReadAt, { offset, bytes }: Partition): Promise<number> {
  const places: number[] = [];
  for (let at = 0; at < bytes; at += STEP_BYTES) {
    const step = await readAt(offset + at, Math.min(STEP_BYTES + SETUP_BYTES, bytes - at));
    for (let place = 0; place < Math.min(STEP_BYTES, step.length); place += SECTOR_BYTES) {
      if (beginsBoardSetup(step, place) && isBoardSetupAt(step, place)) places.push(offset + at + place);
    }
  }
  const [place, other] = places;
  if (place !== undefined && other === undefined) return place;
  throw new BoardsError(
    'refused',
    place === undefined
      ? 'the setup does not stand in one piece on the boot partition, which is too fragmented; take a stock image'
      : 'the boot partition holds a setup of an earlier use; take a stock image',
  );
}
