/** `npm run bundle`: the command line as single CommonJS files in dist/, for boards and packages. */
import { fileURLToPath } from 'node:url';
import { BUNDLES, buildBundle } from './bundle.ts';

const DIST = fileURLToPath(new URL('../dist', import.meta.url));

for (const bundle of BUNDLES) {
  const { file, bytes, parts } = await buildBundle(bundle, DIST);
  const budget = bundle.maxBytes === undefined ? '' : ` of ${bundle.maxBytes / 1024} KiB`;
  console.log(`${file}: ${(bytes / 1024).toFixed(1)} KiB${budget}`);
  for (const [name, size] of parts.slice(0, 12)) console.log(`  ${(size / 1024).toFixed(1).padStart(7)} KiB  ${name}`);
  if (bundle.maxBytes !== undefined && bytes > bundle.maxBytes) {
    console.error(`${file} is over its budget: make one of its parts smaller, or load it elsewhere`);
    process.exitCode = 1;
  }
}
