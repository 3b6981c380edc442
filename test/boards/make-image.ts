/** Makes an image by what stands as JSON in the first argument; prints what came of it as JSON. For trying it as another user. */

import { makeBoardImage } from '../../boards/image/board-image.ts';
import { boardProfile } from '../../boards/index.ts';

const { board, ...init } = JSON.parse(process.argv[2] ?? '{}');
console.log(JSON.stringify(await makeBoardImage({ ...init, board: boardProfile(board) })));
