import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const HOME = fileURLToPath(new URL('..', import.meta.url));
const PREFIX = '@pipevine/node-red/';

/** Node-RED's `RED._` for our catalogues, in English. The test helper has one that gives back the key. */
export function catalogueText(key: string, values: Readonly<Record<string, string | number>> = {}): string {
  const [namespace = '', path = ''] = key.split(':');
  const [file] = globSync(`*/${namespace.replace(PREFIX, '')}.en-US.json`, { cwd: HOME });
  if (!namespace.startsWith(PREFIX) || file === undefined) return key;
  let found: unknown = JSON.parse(readFileSync(HOME + file, 'utf8'));
  // What lacks the member gives undefined, and that is no text.
  for (const name of path.split('.')) found = (found as Record<string, unknown> | undefined)?.[name];
  if (typeof found !== 'string') throw new Error(`${file} has no text ${path}`);
  return found.replace(/__(\w+)__/g, (_, name: string) => String(values[name]));
}
