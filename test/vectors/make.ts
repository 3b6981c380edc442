/**
 * The test vectors as this implementation makes them: `node test/vectors/make.ts` says which files differ from that and ends
 * with 1 if any does; `--write` writes them, and `npm run format` lays them out. A difference is a change of the protocol, unless a case was added.
 */
import { isDeepStrictEqual } from 'node:util';
import { ALL_SETS } from './all-sets.ts';
import { readVectorFile, toVectorFile, writeVectorFile } from './vector-file.ts';

const isWriting = process.argv.includes('--write');
for (const set of ALL_SETS) {
  if (isDeepStrictEqual(readVectorFile(set.name), toVectorFile(set))) continue;
  if (isWriting) writeVectorFile(set);
  else process.exitCode = 1;
  process.stdout.write(`test/vectors/${set.name}.json ${isWriting ? 'written' : 'differs'}\n`);
}
