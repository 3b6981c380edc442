import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';

const VERSIONS = [
  {
    root: '/sys/fs/cgroup/memory',
    limit: 'memory.limit_in_bytes',
    usage: 'memory.usage_in_bytes',
    reclaim: 'memory.force_empty',
  },
  { root: '/sys/fs/cgroup', limit: 'memory.max', usage: 'memory.current', reclaim: 'memory.reclaim' },
] as const;

/** A control group for the memory of one process, by either version of the kernel's interface. Needs root. */
export class MemoryCgroup {
  readonly #folder: string;
  readonly #version: (typeof VERSIONS)[number];

  /** Throws where there is none. */
  constructor(name: string) {
    const version = VERSIONS.find(
      ({ root, usage }) => existsSync(`${root}/${usage}`) || existsSync(`${root}/cgroup.controllers`),
    );
    if (version === undefined) throw new Error('this system has no control groups for memory');
    this.#version = version;
    this.#folder = `${version.root}/${name}`;
    mkdirSync(this.#folder, { recursive: true });
  }

  /** Whoever writes its id there belongs to the group. */
  get members(): string {
    return `${this.#folder}/cgroup.procs`;
  }

  get usedBytes(): number {
    return Number(readFileSync(`${this.#folder}/${this.#version.usage}`, 'utf8'));
  }

  limit(bytes: number): void {
    writeFileSync(`${this.#folder}/${this.#version.limit}`, String(bytes));
  }

  /** Takes back all pages that the kernel can read again: those of files. */
  reclaim(): void {
    try {
      // Version 1 takes all whatever is written; version 2 as much as it can of what is asked for, and says if that was less.
      writeFileSync(`${this.#folder}/${this.#version.reclaim}`, String(2 ** 30));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
    }
  }

  /** Once its members have ended. */
  remove(): void {
    rmdirSync(this.#folder);
  }
}
