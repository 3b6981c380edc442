import type { BinaryOperator, CallSyntax, ComparisonOperator, Expression } from './syntax.ts';
import { malformed } from './template-fault.ts';
import type { Token } from './tokens.ts';

const COMPARISONS: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>=']);
const NOT_AN_OPERAND: ReadonlySet<string> = new Set(['else', 'or', 'and', 'if', 'in', 'is', 'not', 'recursive']);

/** What came, for messages. */
export function describeToken(token: Token | undefined): string {
  if (token === undefined) return 'the end';
  if (token.kind === 'name' || token.kind === 'operator') return `"${token.text}"`;
  return token.kind === 'string' ? 'a string' : 'a number';
}

/**
 * Recursive descent over the tokens of one `{{ }}` or `{% %}`, with Jinja's precedence:
 * choice, or, and, not, comparison, + -, ~, * / // %, **, sign, then calls, members, filters and tests.
 */
export class ExpressionParser {
  readonly #tokens: readonly Token[];
  readonly #maxDepth: number;
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[], maxDepth: number) {
    this.#tokens = tokens;
    this.#maxDepth = maxDepth;
  }

  peek(): Token | undefined {
    return this.#tokens[this.#at];
  }

  isOperator(text: string): boolean {
    const token = this.peek();
    return token?.kind === 'operator' && token.text === text;
  }

  isName(text: string): boolean {
    const token = this.peek();
    return token?.kind === 'name' && token.text === text;
  }

  takeOperator(text: string): boolean {
    if (!this.isOperator(text)) return false;
    this.#at += 1;
    return true;
  }

  takeName(text: string): boolean {
    if (!this.isName(text)) return false;
    this.#at += 1;
    return true;
  }

  expectOperator(text: string): void {
    if (!this.takeOperator(text)) throw malformed(`expected "${text}", came ${describeToken(this.peek())}`);
  }

  expectAnyName(): string {
    const token = this.peek();
    if (token?.kind !== 'name') throw malformed(`expected a name, came ${describeToken(token)}`);
    this.#at += 1;
    return token.text;
  }

  expectEnd(): void {
    if (this.peek() !== undefined) throw malformed(`expected the end of the tag, came ${describeToken(this.peek())}`);
  }

  /** Without `allowChoice` an `if` ends the expression: the condition of a `for`. */
  expression(allowChoice = true): Expression {
    this.#depth += 1;
    if (this.#depth > this.#maxDepth) throw malformed(`expected at most ${this.#maxDepth} nested expressions`);
    let value = this.#or();
    while (allowChoice && this.takeName('if')) {
      const condition = this.#or();
      const otherwise = this.takeName('else') ? this.expression() : undefined;
      value = { kind: 'choice', condition, chosen: value, otherwise };
    }
    this.#depth -= 1;
    return value;
  }

  /** An expression, or several with commas between: a tuple. */
  expressions(allowChoice = true): Expression {
    const first = this.expression(allowChoice);
    if (!this.isOperator(',')) return first;
    const items = [first];
    while (this.takeOperator(',')) {
      if (this.peek() === undefined || this.isOperator(')')) break;
      items.push(this.expression(allowChoice));
    }
    return { kind: 'tuple', items };
  }

  #leftAssociative(next: () => Expression, operators: readonly BinaryOperator[]): Expression {
    let left = next();
    for (let chained = 0; ; chained += 1) {
      const token = this.peek();
      const operator = token?.kind === 'operator' ? operators.find((text) => text === token.text) : undefined;
      if (operator === undefined) return left;
      this.#limitChain(chained);
      this.#at += 1;
      left = { kind: 'binary', operator, left, right: next() };
    }
  }

  /** A chain of operators nests to the left, so its length is a depth for whoever walks the tree. */
  #limitChain(length: number): void {
    if (length >= this.#maxDepth) throw malformed(`expected at most ${this.#maxDepth} operators in a row`);
  }

  #or(): Expression {
    let left = this.#and();
    for (let chained = 0; this.takeName('or'); chained += 1) {
      this.#limitChain(chained);
      left = { kind: 'logic', operator: 'or', left, right: this.#and() };
    }
    return left;
  }

  #and(): Expression {
    let left = this.#not();
    for (let chained = 0; this.takeName('and'); chained += 1) {
      this.#limitChain(chained);
      left = { kind: 'logic', operator: 'and', left, right: this.#not() };
    }
    return left;
  }

  #not(): Expression {
    let negations = 0;
    while (this.takeName('not')) {
      this.#limitChain(negations);
      negations += 1;
    }
    let value = this.#comparison();
    for (; negations > 0; negations -= 1) value = { kind: 'unary', operator: 'not', of: value };
    return value;
  }

  #comparison(): Expression {
    const first = this.#sum();
    const rest: [ComparisonOperator, Expression][] = [];
    for (;;) {
      const token = this.peek();
      let operator: ComparisonOperator | undefined;
      if (token?.kind === 'operator' && COMPARISONS.has(token.text)) {
        // Narrowed by the set: it holds comparison operators only.
        operator = token.text as ComparisonOperator;
        this.#at += 1;
      } else if (this.takeName('in')) {
        operator = 'in';
      } else if (this.isName('not') && this.#isNameAt(1, 'in')) {
        operator = 'not in';
        this.#at += 2;
      }
      if (operator === undefined) break;
      rest.push([operator, this.#sum()]);
    }
    return rest.length === 0 ? first : { kind: 'comparison', first, rest };
  }

  #isNameAt(offset: number, text: string): boolean {
    const token = this.#tokens[this.#at + offset];
    return token?.kind === 'name' && token.text === text;
  }

  #sum(): Expression {
    return this.#leftAssociative(() => this.#concatenation(), ['+', '-']);
  }

  #concatenation(): Expression {
    return this.#leftAssociative(() => this.#product(), ['~']);
  }

  #product(): Expression {
    return this.#leftAssociative(() => this.#power(), ['*', '//', '/', '%']);
  }

  #power(): Expression {
    return this.#leftAssociative(() => this.#signed(), ['**']);
  }

  #signed(): Expression {
    const signs: ('-' | '+')[] = [];
    for (;;) {
      this.#limitChain(signs.length);
      if (this.takeOperator('-')) signs.push('-');
      else if (this.takeOperator('+')) signs.push('+');
      else break;
    }
    let value = this.#postfix(this.#primary());
    for (const operator of signs.reverse()) value = { kind: 'unary', operator, of: value };
    return this.#filtersAndTests(value);
  }

  #primary(): Expression {
    const token = this.peek();
    if (token === undefined) throw malformed('expected a value, came the end');
    this.#at += 1;
    switch (token.kind) {
      case 'string': {
        let text = token.text;
        for (let next = this.peek(); next?.kind === 'string'; next = this.peek()) {
          text += next.text;
          this.#at += 1;
        }
        return { kind: 'literal', value: text };
      }
      case 'integer':
        return { kind: 'literal', value: token.value };
      case 'float':
        return { kind: 'literal', value: token.value, float: true };
      case 'name':
        return this.#nameOrConstant(token.text);
      default:
        return this.#bracketed(token.text);
    }
  }

  #nameOrConstant(name: string): Expression {
    switch (name) {
      case 'true':
      case 'True':
        return { kind: 'literal', value: true };
      case 'false':
      case 'False':
        return { kind: 'literal', value: false };
      case 'none':
      case 'None':
        return { kind: 'literal', value: null };
      default:
        if (NOT_AN_OPERAND.has(name)) throw malformed(`expected a value, came "${name}"`);
        return { kind: 'name', name };
    }
  }

  #bracketed(open: string): Expression {
    if (open === '(') {
      if (this.takeOperator(')')) return { kind: 'tuple', items: [] };
      const value = this.expressions();
      this.expectOperator(')');
      return value;
    }
    if (open === '[') return { kind: 'list', items: this.#items(']') };
    if (open === '{') {
      const entries: [Expression, Expression][] = [];
      while (!this.takeOperator('}')) {
        const key = this.expression();
        this.expectOperator(':');
        entries.push([key, this.expression()]);
        if (!this.isOperator('}')) this.expectOperator(',');
      }
      return { kind: 'dict', entries };
    }
    throw malformed(`expected a value, came "${open}"`);
  }

  #items(close: string): Expression[] {
    const items: Expression[] = [];
    while (!this.takeOperator(close)) {
      items.push(this.expression());
      if (!this.isOperator(close)) this.expectOperator(',');
    }
    return items;
  }

  #postfix(start: Expression): Expression {
    let value = start;
    for (let chained = 0; ; chained += 1) {
      if (this.isOperator('.') || this.isOperator('[') || this.isOperator('(')) this.#limitChain(chained);
      if (this.takeOperator('.')) {
        const token = this.peek();
        this.#at += 1;
        if (token?.kind === 'name') value = { kind: 'member', of: value, name: token.text };
        else if (token?.kind === 'integer') {
          value = { kind: 'index', of: value, index: { kind: 'literal', value: token.value } };
        } else throw malformed(`expected a name after ".", came ${describeToken(token)}`);
      } else if (this.takeOperator('[')) {
        value = this.#subscript(value);
      } else if (this.takeOperator('(')) {
        value = { kind: 'call', callee: value, given: this.#callArguments() };
      } else return value;
    }
  }

  #subscript(of: Expression): Expression {
    const start = this.isOperator(':') ? undefined : this.expressions();
    if (!this.takeOperator(':')) {
      this.expectOperator(']');
      if (start === undefined) throw malformed('expected an index between [ and ]');
      return { kind: 'index', of, index: start };
    }
    const stop = this.isOperator(':') || this.isOperator(']') ? undefined : this.expression();
    const step = this.takeOperator(':') && !this.isOperator(']') ? this.expression() : undefined;
    this.expectOperator(']');
    return { kind: 'slice', of, start, stop, step };
  }

  /** After the opening bracket. */
  #callArguments(): CallSyntax {
    const positional: Expression[] = [];
    const named: [string, Expression][] = [];
    while (!this.takeOperator(')')) {
      const token = this.peek();
      const next = this.#tokens[this.#at + 1];
      if (token?.kind === 'name' && next?.kind === 'operator' && next.text === '=') {
        this.#at += 2;
        named.push([token.text, this.expression()]);
      } else {
        if (named.length > 0) throw malformed('expected arguments without a name before those with one');
        positional.push(this.expression());
      }
      if (!this.isOperator(')')) this.expectOperator(',');
    }
    return { positional, named };
  }

  #filtersAndTests(start: Expression): Expression {
    let value = start;
    for (let chained = 0; ; chained += 1) {
      if (this.isOperator('|') || this.isName('is') || this.isOperator('(')) this.#limitChain(chained);
      if (this.takeOperator('|')) {
        const name = this.expectAnyName();
        const given = this.takeOperator('(') ? this.#callArguments() : { positional: [], named: [] };
        value = { kind: 'filter', of: value, name, given };
      } else if (this.takeName('is')) {
        value = this.#test(value);
      } else return value;
    }
  }

  #test(of: Expression): Expression {
    const negated = this.takeName('not');
    const name = this.expectAnyName();
    if (this.takeOperator('(')) return { kind: 'test', of, name, given: this.#callArguments(), negated };
    const token = this.peek();
    const takesOperand =
      token !== undefined &&
      (token.kind === 'operator'
        ? token.text === '[' || token.text === '{'
        : token.kind !== 'name' || !NOT_AN_OPERAND.has(token.text));
    const positional = takesOperand ? [this.#postfix(this.#primary())] : [];
    return { kind: 'test', of, name, given: { positional, named: [] }, negated };
  }
}
