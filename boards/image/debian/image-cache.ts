import { chmod, copyFile, mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';

const PREFIX = 'debian-arm64-';
const SUFFIX = '.img.zst';
/** One has about 200 MB. */
const KEPT = 2;

/** Images by the hashes of what they were made from: of the recipe, and of the packages that there were. The last used stay. */
export class ImageCache {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The image, used now; undefined when it is not there. */
  async find(recipe: string, packages: string): Promise<string | undefined> {
    const file = this.#path(recipe, packages);
    const now = new Date();
    return utimes(file, now, now).then(
      () => file,
      () => undefined,
    );
  }

  /** Of all that were made by this recipe the last used. */
  async newest(recipe: string): Promise<string | undefined> {
    return (await this.#byUse(`${PREFIX}${recipe}-`))[0];
  }

  /** Takes a copy, which is there whole or not at all; forgets others. Gives its path. */
  async keep(image: string, recipe: string, packages: string): Promise<string> {
    await mkdir(this.#folder, { recursive: true });
    const file = this.#path(recipe, packages);
    const part = `${file}.${process.pid}.part`;
    try {
      await copyFile(image, part);
      await chmod(part, 0o644);
      await rename(part, file);
    } finally {
      await rm(part, { force: true });
    }
    for (const old of (await this.#byUse(PREFIX)).slice(KEPT)) await rm(old, { force: true });
    return file;
  }

  #path(recipe: string, packages: string): string {
    return join(this.#folder, `${PREFIX}${recipe}-${packages}${SUFFIX}`);
  }

  async #byUse(prefix: string): Promise<readonly string[]> {
    const names = await readdir(this.#folder).catch((): string[] => []); // none was kept yet
    const paths = names.filter((name) => name.startsWith(prefix) && name.endsWith(SUFFIX));
    const files = await Promise.all(
      paths.map(async (name) => {
        const path = join(this.#folder, name);
        return { path, usedMs: (await stat(path)).mtimeMs };
      }),
    );
    return files.sort((a, b) => b.usedMs - a.usedMs).map(({ path }) => path);
  }
}
