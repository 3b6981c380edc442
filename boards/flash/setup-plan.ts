import { BoardsError } from '../boards-error.ts';
import { type BoardSetup, decodeBoardSetup, encodeBoardSetup } from '../setup/board-setup.ts';
import { watchSetups } from './setup-stream.ts';

export interface SetupPlan {
  /** In the image. */
  readonly offset: number;
  /** What shall stand there. */
  readonly file: Uint8Array;
  readonly setup: BoardSetup;
}

/** What is given takes the place of what the image has. The country stays where the board is: another network leaves it. */
export function mergeSetup(image: BoardSetup, changes: BoardSetup): BoardSetup {
  const country = image.wifi?.country;
  const wifi = changes.wifi && { ...(country !== undefined && { country }), ...changes.wifi };
  return { ...image, ...changes, ...(wifi && { wifi }) };
}

/**
 * Finds the setup of an image and makes the new one, before anything is written. Reads the image up to there. Throws
 * `not-found` when the image has none, `usage` for values that a board could not use.
 */
export async function planSetup(
  chunks: AsyncIterable<Uint8Array>,
  changes: BoardSetup,
  signal: AbortSignal,
): Promise<SetupPlan> {
  let plan: SetupPlan | undefined;
  const watched = watchSetups(chunks, (offset, file) => {
    if (plan !== undefined) return;
    const setup = mergeSetup(decodeBoardSetup(file), changes);
    plan = { offset, file: encodeBoardSetup(setup), setup };
  });
  for await (const _chunk of watched) {
    if (plan !== undefined) break;
    if (signal.aborted) throw new BoardsError('environment', 'flashing was stopped; nothing was written');
  }
  if (plan !== undefined) return plan;
  throw new BoardsError(
    'not-found',
    'the image has no setup file that could be changed; put your options into the image by `pipevine image`, or flash it as it is, without them; nothing was written',
  );
}

/** The chunks with the new setup in place. Throws `refused` when the image is not what the plan was made for. */
export async function* applySetup(chunks: AsyncIterable<Uint8Array>, plan: SetupPlan): AsyncGenerator<Uint8Array> {
  let isDone = false;
  yield* watchSetups(chunks, (offset, file) => {
    if (offset !== plan.offset) {
      throw new BoardsError(
        'refused',
        `the image has two setup files, at bytes ${plan.offset} and ${offset}, and a board reads only one; make the image anew`,
      );
    }
    file.set(plan.file);
    isDone = true;
  });
  if (!isDone) throw new BoardsError('refused', 'the image has changed while it was flashed; flash it again');
}
