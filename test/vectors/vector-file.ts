import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { VectorCase, VectorSet } from './vector-set.ts';

/** A file of vectors as another implementation reads it. */
export interface VectorFile {
  readonly description: string;
  readonly document: string;
  /** File of the rules that cases name by `cddl`, in docs/protocol. */
  readonly cddl?: string;
  readonly cases: readonly VectorCase[];
}

const pathOf = (name: string): URL => new URL(`./${name}.json`, import.meta.url);

export function toVectorFile({ description, document, cddl, vectors }: VectorSet): VectorFile {
  return {
    description,
    document,
    ...(cddl === undefined ? {} : { cddl: `docs/protocol/${cddl}` }),
    cases: vectors.map(({ data }) => data),
  };
}

/** Undefined when there is no such file. */
export function readVectorFile(name: string): VectorFile | undefined {
  const path = pathOf(name);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as VectorFile) : undefined; // Written below.
}

export function writeVectorFile(set: VectorSet): void {
  writeFileSync(pathOf(set.name), `${JSON.stringify(toVectorFile(set), null, 2)}\n`);
}
