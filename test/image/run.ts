/** `node test/image/run.ts [FILE...]`: makes images as root and boots them, one file after another. Without files: all `*.image.ts`. */
import { runNodeTests } from '../run-node-tests.ts';
import { missingForImages } from './requirements.ts';

const missing = await missingForImages();
for (const line of missing) console.error(`image: ${line}`);
process.exitCode = missing.length > 0 ? 1 : await runNodeTests({ folder: import.meta.dirname, suffix: '.image.ts' });
