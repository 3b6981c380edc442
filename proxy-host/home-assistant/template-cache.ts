import { Template } from '../template/template.ts';

/** Compiled templates by source, the least recently used dropped first. Devices of one model share theirs. */
export class TemplateCache {
  readonly #maxTemplates: number;
  readonly #bySource = new Map<string, Template>();

  constructor(maxTemplates: number) {
    this.#maxTemplates = maxTemplates;
  }

  get size(): number {
    return this.#bySource.size;
  }

  /** Throws PipevineError `malformed` for a source that is not a template. */
  compile(source: string): Template {
    let template = this.#bySource.get(source);
    if (template === undefined) template = new Template(source);
    else this.#bySource.delete(source);
    this.#bySource.set(source, template);
    if (this.#bySource.size > this.#maxTemplates) {
      const [oldest] = this.#bySource.keys();
      if (oldest !== undefined) this.#bySource.delete(oldest);
    }
    return template;
  }
}
