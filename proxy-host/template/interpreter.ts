import { COLLECTION_FILTERS, needIndex, type Registry } from './collection-filters.ts';
import { NUMBER_FILTERS } from './number-filters.ts';
import { binary, compare, iterate } from './operators.ts';
import { pythonStr } from './python-format.ts';
import type { CallSyntax, Expression, Statement, Target } from './syntax.ts';
import { malformed, overloaded } from './template-fault.ts';
import { templateGlobals } from './template-functions.ts';
import { defaultFilter, TEXT_FILTERS } from './text-filters.ts';
import { TIME_FILTERS } from './time-filters.ts';
import {
  type CallArguments,
  type DictKey,
  dictGet,
  dictKey,
  floatValue,
  isDict,
  isFloat,
  isNumeric,
  Namespace,
  numberOf,
  orUndefined,
  sequenceOf,
  sizeOf,
  TemplateFunction,
  type TemplateRun,
  type TemplateValue,
  Tuple,
  truthy,
  typeName,
  Undefined,
} from './value.ts';
import { builtinMember } from './value-methods.ts';
import { VALUE_TESTS } from './value-tests.ts';

/** Variables by name. A Map is one; a message's variables are made when asked for. */
export interface TemplateScope {
  get(name: string): TemplateValue | undefined;
}

/** Nesting of evaluations, a chain of operators included; each takes a few frames of the stack. */
const MAX_EVALUATION_DEPTH = 400;

const REGISTRY: Registry = {
  filter(name, value, given, run) {
    run.budget.step(1 + Math.floor(sizeOf(value) / 64));
    if (name === 'default' || name === 'd') return defaultFilter(value, given);
    const plain = NUMBER_FILTERS.get(name) ?? TEXT_FILTERS.get(name) ?? TIME_FILTERS.get(name);
    if (plain !== undefined) return plain(value, given, run);
    const filter = COLLECTION_FILTERS.get(name);
    if (filter === undefined) throw malformed(`expected a filter that templates know, came "${name}"`);
    return filter(value, given, run, REGISTRY);
  },
  test(name, value, given, run) {
    run.budget.step(1 + (typeof value === 'string' ? Math.floor(value.length / 64) : 0));
    const test = VALUE_TESTS.get(name);
    if (test === undefined) throw malformed(`expected a test that templates know after "is", came "${name}"`);
    return test(value, given, run);
  },
};

const GLOBALS = templateGlobals(REGISTRY);

type Flow = 'next' | 'break' | 'continue';

/** Walks the syntax tree of one rendering. Every node costs a step. */
export class Interpreter {
  readonly #run: TemplateRun;
  readonly #given: TemplateScope;
  /** Innermost last. A loop's body has a scope of its own; `if` has none. */
  readonly #scopes: Map<string, TemplateValue>[] = [new Map()];
  #output = '';
  #depth = 0;

  constructor(run: TemplateRun, given: TemplateScope) {
    this.#run = run;
    this.#given = given;
  }

  render(body: readonly Statement[]): string {
    this.#body(body);
    return this.#output;
  }

  #write(text: string): void {
    const length = this.#output.length + text.length;
    if (length > this.#run.budget.limits.maxTextLength) this.#run.budget.reserveText(length);
    this.#output += text;
  }

  #body(body: readonly Statement[]): Flow {
    for (const statement of body) {
      const flow = this.#statement(statement);
      if (flow !== 'next') return flow;
    }
    return 'next';
  }

  #statement(statement: Statement): Flow {
    this.#run.budget.step();
    switch (statement.kind) {
      case 'text':
        this.#write(statement.text);
        return 'next';
      case 'output':
        this.#write(pythonStr(this.#evaluate(statement.value), this.#run.budget));
        return 'next';
      case 'if':
        for (const branch of statement.branches) {
          if (truthy(this.#evaluate(branch.condition))) return this.#body(branch.body);
        }
        return this.#body(statement.otherwise);
      case 'for':
        return this.#for(statement);
      case 'set':
        this.#assign(statement.target, this.#evaluate(statement.value));
        return 'next';
      case 'set-block': {
        const before = this.#output;
        this.#output = '';
        this.#body(statement.body);
        this.#assign(statement.target, this.#output);
        this.#output = before;
        return 'next';
      }
      default:
        return statement.kind;
    }
  }

  #for(loop: Extract<Statement, { kind: 'for' }>): Flow {
    const all = iterate(this.#evaluate(loop.of), this.#run.budget);
    const scope = new Map<string, TemplateValue>();
    this.#scopes.push(scope);
    let items = all;
    if (loop.condition !== undefined) {
      const condition = loop.condition;
      items = all.filter((item) => {
        this.#run.budget.step();
        this.#bind(scope, loop.names, loop.single, item);
        return truthy(this.#evaluate(condition));
      });
    }
    for (const [index, item] of items.entries()) {
      this.#run.budget.step();
      scope.clear();
      this.#bind(scope, loop.names, loop.single, item);
      scope.set('loop', this.#loopState(index, items));
      if (this.#body(loop.body) === 'break') break;
    }
    this.#scopes.pop();
    return items.length === 0 ? this.#body(loop.otherwise) : 'next';
  }

  #loopState(index: number, items: readonly TemplateValue[]): TemplateValue {
    const count = items.length;
    return new Map<DictKey, TemplateValue>([
      ['index', index + 1],
      ['index0', index],
      ['revindex', count - index],
      ['revindex0', count - index - 1],
      ['first', index === 0],
      ['last', index === count - 1],
      ['length', count],
      ['previtem', orUndefined(items[index - 1], 'loop.previtem')],
      ['nextitem', orUndefined(items[index + 1], 'loop.nextitem')],
    ]);
  }

  #bind(scope: Map<string, TemplateValue>, names: readonly string[], single: boolean, value: TemplateValue): void {
    if (single) {
      scope.set(names[0] ?? '', value);
      return;
    }
    const items = sequenceOf(value);
    if (items?.length !== names.length) {
      throw malformed(
        `expected ${names.length} values for ${names.join(', ')}, came ${items?.length ?? typeName(value)}`,
      );
    }
    for (const [index, name] of names.entries()) scope.set(name, items[index] ?? null);
  }

  #assign(target: Target, value: TemplateValue): void {
    if (target.kind === 'namespace') {
      const space = this.#lookUp(target.name);
      if (!(space instanceof Namespace))
        throw malformed(`expected a namespace() to set ${target.name}.${target.member}`);
      space.members.set(target.member, value);
      this.#run.budget.reserveItems(space.members.size);
      return;
    }
    const scope = this.#scopes.at(-1);
    if (scope !== undefined) this.#bind(scope, target.names, target.single, value);
  }

  #lookUp(name: string): TemplateValue {
    for (let index = this.#scopes.length - 1; index >= 0; index -= 1) {
      const found = this.#scopes[index]?.get(name);
      if (found !== undefined) return found;
    }
    const given = this.#given.get(name);
    return given === undefined ? orUndefined(GLOBALS.get(name), `"${name}"`) : given;
  }

  #evaluate(node: Expression): TemplateValue {
    this.#run.budget.step();
    this.#depth += 1;
    if (this.#depth > MAX_EVALUATION_DEPTH) throw overloaded('expected a less nested expression');
    const value = this.#evaluateNode(node);
    this.#depth -= 1;
    return value;
  }

  #evaluateNode(node: Expression): TemplateValue {
    switch (node.kind) {
      case 'literal':
        return node.float === true && typeof node.value === 'number' ? floatValue(node.value) : node.value;
      case 'name':
        return this.#lookUp(node.name);
      case 'list':
        return this.#run.budget.items(node.items.map((item) => this.#evaluate(item)));
      case 'tuple':
        return new Tuple(this.#run.budget.items(node.items.map((item) => this.#evaluate(item))));
      case 'dict':
        return this.#dict(node.entries);
      case 'member':
        return this.#member(this.#evaluate(node.of), node.name);
      case 'index':
        return this.#index(this.#evaluate(node.of), this.#evaluate(node.index));
      case 'slice':
        return this.#slice(node);
      case 'call':
        return this.#call(node.callee, node.given);
      case 'filter':
        return REGISTRY.filter(node.name, this.#evaluate(node.of), this.#arguments(node.given), this.#run);
      case 'test': {
        const holds = REGISTRY.test(node.name, this.#evaluate(node.of), this.#arguments(node.given), this.#run);
        return holds !== node.negated;
      }
      case 'unary':
        return this.#unary(node.operator, this.#evaluate(node.of));
      case 'binary':
        return binary(node.operator, this.#evaluate(node.left), this.#evaluate(node.right), this.#run.budget);
      case 'logic': {
        const left = this.#evaluate(node.left);
        return truthy(left) === (node.operator === 'or') ? left : this.#evaluate(node.right);
      }
      case 'comparison': {
        let left = this.#evaluate(node.first);
        for (const [operator, next] of node.rest) {
          const right = this.#evaluate(next);
          if (!compare(operator, left, right, this.#run.budget)) return false;
          left = right;
        }
        return true;
      }
      default:
        if (truthy(this.#evaluate(node.condition))) return this.#evaluate(node.chosen);
        return node.otherwise === undefined ? new Undefined('an if without else') : this.#evaluate(node.otherwise);
    }
  }

  #dict(entries: readonly (readonly [Expression, Expression])[]): TemplateValue {
    const made = new Map<DictKey, TemplateValue>();
    for (const [key, value] of entries) made.set(dictKey(this.#evaluate(key)), this.#evaluate(value));
    this.#run.budget.reserveItems(made.size);
    return made;
  }

  #arguments(given: CallSyntax): CallArguments {
    const named = new Map<string, TemplateValue>();
    for (const [name, value] of given.named) named.set(name, this.#evaluate(value));
    return { positional: given.positional.map((value) => this.#evaluate(value)), named };
  }

  #call(callee: Expression, given: CallSyntax): TemplateValue {
    // `dict.from_keys` is the one function that is a member of a function.
    const isFromKeys =
      callee.kind === 'member' &&
      (callee.name === 'from_keys' || callee.name === 'fromkeys') &&
      callee.of.kind === 'name' &&
      callee.of.name === 'dict';
    const value = isFromKeys ? this.#lookUp('dict.from_keys') : this.#evaluate(callee);
    if (!(value instanceof TemplateFunction)) throw malformed(`expected a function to call, came ${typeName(value)}`);
    return value.call(this.#run, this.#arguments(given));
  }

  /** `value.name`: a method or field from the fixed tables, else an item of a dictionary. */
  #member(value: TemplateValue, name: string): TemplateValue {
    if (value instanceof Undefined) throw malformed(`expected a value before .${name}, came ${typeName(value)}`);
    if (value instanceof Namespace) return orUndefined(value.members.get(name), `namespace member "${name}"`);
    const builtin = builtinMember(value, name);
    if (builtin !== undefined) return builtin;
    return orUndefined(isDict(value) ? dictGet(value, name) : undefined, `member "${name}"`);
  }

  #index(value: TemplateValue, index: TemplateValue): TemplateValue {
    if (value instanceof Undefined) throw malformed(`expected a value before [...], came ${typeName(value)}`);
    if (isDict(value)) return orUndefined(dictGet(value, dictKey(index)), `item ${String(dictKey(index))}`);
    if (isNumeric(index) && !isFloat(index)) {
      const at = numberOf(index);
      if (typeof value === 'string') {
        return orUndefined(value.at(at), `character ${at}`);
      }
      const items = sequenceOf(value);
      if (items !== undefined) return orUndefined(items.at(at), `item ${at}`);
    }
    return typeof index === 'string' ? this.#member(value, index) : new Undefined('item');
  }

  #slice(node: Extract<Expression, { kind: 'slice' }>): TemplateValue {
    const value = this.#evaluate(node.of);
    const bound = (of: Expression | undefined): number | undefined => {
      const found = of === undefined ? null : this.#evaluate(of);
      return found === null ? undefined : needIndex(found);
    };
    const start = bound(node.start);
    const stop = bound(node.stop);
    const step = bound(node.step) ?? 1;
    if (typeof value === 'string' && step === 1) return value.slice(start, stop);
    const items = typeof value === 'string' ? this.#run.budget.items([...value]) : sequenceOf(value);
    if (items === undefined) throw malformed(`expected a string or a list before [a:b], came ${typeName(value)}`);
    const chosen = this.#run.budget.items(sliceItems(items, start, stop, step));
    if (typeof value === 'string') return chosen.join('');
    return value instanceof Tuple ? new Tuple(chosen) : chosen;
  }

  #unary(operator: '-' | '+' | 'not', value: TemplateValue): TemplateValue {
    if (operator === 'not') return !truthy(value);
    if (!isNumeric(value)) throw malformed(`expected a number after "${operator}", came ${typeName(value)}`);
    const signed = operator === '-' ? -numberOf(value) : numberOf(value);
    return isFloat(value) ? floatValue(signed) : signed === 0 ? 0 : signed;
  }
}

/** Python's `items[start:stop:step]`. */
function sliceItems(
  items: readonly TemplateValue[],
  start: number | undefined,
  stop: number | undefined,
  step: number,
): TemplateValue[] {
  if (step === 1) return items.slice(start, stop);
  if (step === 0 || !Number.isInteger(step)) throw malformed('expected a step other than 0 in [a:b:c]');
  const place = (bound: number, low: number, high: number): number =>
    Math.max(low, Math.min(high, bound < 0 ? bound + items.length : bound));
  const chosen: TemplateValue[] = [];
  if (step > 0) {
    const end = place(stop ?? items.length, 0, items.length);
    for (let at = place(start ?? 0, 0, items.length); at < end; at += step) chosen.push(items[at] ?? null);
  } else {
    const end = stop === undefined ? -1 : place(stop, -1, items.length - 1);
    const from = start === undefined ? items.length - 1 : place(start, -1, items.length - 1);
    for (let at = from; at > end; at += step) chosen.push(items[at] ?? null);
  }
  return chosen;
}
