import { type JsonValue, PipevineError } from '@pipevine/runtime';
import type { Params } from '../control/json-rpc.ts';

/** The parameters of one control method, each checked when it is taken. Throws `invalid-argument`. */
export class Parameters {
  readonly #method: string;
  readonly #params: Params;

  constructor(method: string, params: Params) {
    this.#method = method;
    this.#params = params;
  }

  text(name: string): string {
    return this.optionalText(name) ?? this.#fail(name, 'a text');
  }

  optionalText(name: string): string | undefined {
    const value = this.#params[name] ?? undefined;
    return value === undefined || typeof value === 'string' ? value : this.#fail(name, 'a text');
  }

  optionalNumber(name: string): number | undefined {
    const value = this.#params[name] ?? undefined;
    if (value === undefined || (typeof value === 'number' && value > 0)) return value;
    return this.#fail(name, 'a number above 0');
  }

  optionalFlag(name: string): boolean | undefined {
    const value = this.#params[name] ?? undefined;
    return value === undefined || typeof value === 'boolean' ? value : this.#fail(name, 'true or false');
  }

  /** How long the command is willing to wait, ms. */
  timeoutMs(): number | undefined {
    return this.optionalNumber('timeoutMs');
  }

  choice<T extends string>(name: string, choices: readonly T[]): T {
    const value = this.text(name);
    return choices.find((choice) => choice === value) ?? this.#fail(name, `one of ${choices.join(', ')}`);
  }

  optionalChoice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    return this.optionalText(name) === undefined ? undefined : this.choice(name, choices);
  }

  textList(name: string): readonly string[] {
    const value: JsonValue = this.#params[name] ?? [];
    if (!Array.isArray(value)) return this.#fail(name, 'a list of texts');
    return value.map((item: JsonValue) => (typeof item === 'string' ? item : this.#fail(name, 'a list of texts')));
  }

  texts(name: string): Readonly<Record<string, string>> {
    const value = this.#params[name] ?? {};
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return this.#fail(name, 'texts by name');
    return Object.fromEntries(
      Object.entries(value).map(([key, text]) => [
        key,
        typeof text === 'string' ? text : this.#fail(name, 'texts by name'),
      ]),
    );
  }

  #fail(name: string, expected: string): never {
    throw new PipevineError('invalid-argument', `${this.#method}: "${name}" must be ${expected}`);
  }
}
