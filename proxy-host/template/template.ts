import { PipevineError } from '@pipevine/runtime';
import { Budget } from './budget.ts';
import { Interpreter, type TemplateScope } from './interpreter.ts';
import { pythonStr } from './python-format.ts';
import type { Statement } from './syntax.ts';
import { TemplateFault } from './template-fault.ts';
import { DEFAULT_TEMPLATE_LIMITS, type TemplateLimits } from './template-limits.ts';
import { parseTemplate } from './template-parser.ts';
import { dictGet, isDict, sequenceOf, type TemplateValue } from './value.ts';
import { isDictMethod } from './value-methods.ts';

/** What a rendering reads besides its variables. */
export interface TemplateEnvironment {
  /** Wall clock of `now()`, in ms since 1970. */
  readonly nowMs: number;
  /** Minutes east of UTC in which local times print. Default: UTC. */
  readonly utcOffsetMinutes?: (epochMs: number) => number;
}

/** `{{ value }}` and `{{ value_json.a['b'][0] }}`: most templates are one of these and need no interpreter. */
const PLAIN = /^\{\{-?\s*(value|value_json)((?:\.[A-Za-z_]\w*|\[(?:'[^'\\]*'|"[^"\\]*"|\d{1,6})\])*)\s*-?\}\}$/;
const STEP = /\.([A-Za-z_]\w*)|\['([^']*)'\]|\["([^"]*)"\]|\[(\d+)\]/g;

interface Path {
  readonly root: string;
  readonly steps: readonly (string | number)[];
}

function plainPath(source: string): Path | undefined {
  const parts = PLAIN.exec(source);
  if (parts === null) return undefined;
  const steps: (string | number)[] = [];
  for (const [, member, single, double, index] of (parts[2] ?? '').matchAll(STEP)) {
    if (member !== undefined && isDictMethod(member)) return undefined;
    steps.push(index === undefined ? (member ?? single ?? double ?? '') : Number(index));
  }
  return { root: parts[1] ?? '', steps };
}

const utc = (): number => 0;

function brief(source: string): string {
  const flat = source.replace(/\s+/g, ' ');
  return flat.length > 60 ? `${flat.slice(0, 57)}...` : flat;
}

/**
 * A template of the part of Jinja2 that Home Assistant's MQTT devices use. Foreign text: it can neither run code nor
 * reach anything but its variables, and each rendering is bounded in steps and size. Immutable; render it often.
 */
export class Template {
  readonly source: string;
  readonly #path: Path | undefined;
  readonly #body: readonly Statement[];
  readonly #limits: TemplateLimits;

  /** Throws PipevineError `malformed` for a source that is not a template. */
  constructor(source: string, limits: TemplateLimits = DEFAULT_TEMPLATE_LIMITS) {
    this.source = source.trim();
    this.#limits = limits;
    this.#path = plainPath(this.source);
    this.#body = this.#path === undefined ? this.#guarded(() => parseTemplate(this.source, limits)) : [];
  }

  /**
   * The output, without white space at its ends. Throws PipevineError: `malformed` where the template does not fit its
   * data, `overloaded` where it takes too many steps or makes something too large.
   */
  render(scope: TemplateScope, environment: TemplateEnvironment): string {
    return this.#guarded(() => {
      const budget = new Budget(this.#limits);
      if (this.#path !== undefined) {
        const text = this.#renderPath(this.#path, scope, budget);
        if (text !== undefined) return text;
      }
      const run = {
        budget,
        nowMs: environment.nowMs,
        utcOffsetMinutes: environment.utcOffsetMinutes ?? utc,
      };
      // A path that the data does not have: the interpreter says precisely what is missing.
      const body = this.#path === undefined ? this.#body : parseTemplate(this.source, this.#limits);
      return budget.text(new Interpreter(run, scope).render(body).trim());
    });
  }

  #renderPath(path: Path, scope: TemplateScope, budget: Budget): string | undefined {
    let value: TemplateValue | undefined = scope.get(path.root);
    for (const step of path.steps) {
      if (value === undefined) return undefined;
      const items: readonly TemplateValue[] | undefined = sequenceOf(value);
      if (items !== undefined) value = typeof step === 'number' ? items[step] : undefined;
      else value = isDict(value) ? dictGet(value, step) : undefined;
    }
    return value === undefined ? undefined : pythonStr(value, budget).trim();
  }

  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof TemplateFault)) throw error;
      throw new PipevineError(error.code, `template "${brief(this.source)}": ${error.message}`);
    }
  }
}
