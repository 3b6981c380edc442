import { describeToken, ExpressionParser } from './expression-parser.ts';
import type { Expression, Statement, Target } from './syntax.ts';
import { malformed } from './template-fault.ts';
import type { TemplateLimits } from './template-limits.ts';
import { type Segment, segments } from './tokens.ts';

/** Parses the source of a whole template. Throws TemplateFault. */
export function parseTemplate(source: string, limits: TemplateLimits): readonly Statement[] {
  if (source.length > limits.maxSourceLength) {
    throw malformed(`expected at most ${limits.maxSourceLength} characters, came ${source.length}: shorten it`);
  }
  const parser = new TemplateParser(segments(source), limits.maxDepth);
  return parser.whole();
}

interface Ended {
  readonly body: readonly Statement[];
  /** The word that ended the body, and the rest of its tag. */
  readonly word: string;
  readonly rest: ExpressionParser;
}

class TemplateParser {
  readonly #segments: readonly Segment[];
  readonly #maxDepth: number;
  #at = 0;
  #depth = 0;
  #loops = 0;

  constructor(found: readonly Segment[], maxDepth: number) {
    this.#segments = found;
    this.#maxDepth = maxDepth;
  }

  whole(): readonly Statement[] {
    const { body, word } = this.#body([]);
    if (word !== '') throw malformed(`expected an opening tag before {% ${word} %}: remove it`);
    return body;
  }

  /** Statements up to a tag that starts with one of `ends`, or with none given to the end of the template. */
  #body(ends: readonly string[]): Ended {
    this.#depth += 1;
    if (this.#depth > this.#maxDepth) throw malformed(`expected at most ${this.#maxDepth} nested blocks`);
    const body: Statement[] = [];
    for (;;) {
      const segment = this.#segments[this.#at];
      this.#at += 1;
      if (segment === undefined) {
        if (ends.length > 0) throw malformed(`expected {% ${ends.join(' %} or {% ')} %}, came the end: add it`);
        this.#depth -= 1;
        return { body, word: '', rest: new ExpressionParser([], this.#maxDepth) };
      }
      if (segment.kind === 'text') {
        body.push(segment);
        continue;
      }
      const parser = new ExpressionParser(segment.tokens, this.#maxDepth);
      if (segment.kind === 'expression') {
        const value = parser.expressions();
        parser.expectEnd();
        body.push({ kind: 'output', value });
        continue;
      }
      const word = parser.expectAnyName();
      if (ends.includes(word)) {
        this.#depth -= 1;
        return { body, word, rest: parser };
      }
      body.push(this.#statement(word, parser));
    }
  }

  #statement(word: string, parser: ExpressionParser): Statement {
    switch (word) {
      case 'if':
        return this.#if(parser);
      case 'for':
        return this.#for(parser);
      case 'set':
        return this.#set(parser);
      case 'break':
      case 'continue':
        parser.expectEnd();
        if (this.#loops === 0) throw malformed(`expected {% ${word} %} inside {% for %}`);
        return { kind: word };
      default:
        throw malformed(`expected one of if, for, set, break, continue, raw after {%, came "${word}"`);
    }
  }

  #if(parser: ExpressionParser): Statement {
    const branches: { condition: Expression; body: readonly Statement[] }[] = [];
    let condition = parser.expressions();
    parser.expectEnd();
    for (;;) {
      const ended = this.#body(['elif', 'else', 'endif']);
      branches.push({ condition, body: ended.body });
      if (ended.word === 'elif') {
        condition = ended.rest.expressions();
        ended.rest.expectEnd();
        continue;
      }
      ended.rest.expectEnd();
      return { kind: 'if', branches, otherwise: ended.word === 'else' ? this.#last('endif') : [] };
    }
  }

  #for(parser: ExpressionParser): Statement {
    const { names, single } = this.#names(parser);
    if (!parser.takeName('in')) throw malformed(`expected "in" in {% for %}, came ${describeToken(parser.peek())}`);
    const of = parser.expressions(false);
    const condition = parser.takeName('if') ? parser.expression() : undefined;
    parser.expectEnd();
    this.#loops += 1;
    const ended = this.#body(['else', 'endfor']);
    this.#loops -= 1;
    ended.rest.expectEnd();
    const otherwise = ended.word === 'else' ? this.#last('endfor') : [];
    return { kind: 'for', names, single, of, condition, body: ended.body, otherwise };
  }

  #set(parser: ExpressionParser): Statement {
    const target = this.#target(parser);
    if (parser.takeOperator('=')) {
      const value = parser.expressions();
      parser.expectEnd();
      return { kind: 'set', target, value };
    }
    parser.expectEnd();
    return { kind: 'set-block', target, body: this.#last('endset') };
  }

  #last(end: string): readonly Statement[] {
    const { body, rest } = this.#body([end]);
    rest.expectEnd();
    return body;
  }

  #target(parser: ExpressionParser): Target {
    const { names, single } = this.#names(parser);
    const [name] = names;
    if (single && name !== undefined && parser.takeOperator('.')) {
      return { kind: 'namespace', name, member: parser.expectAnyName() };
    }
    return { kind: 'names', names, single };
  }

  #names(parser: ExpressionParser): { names: string[]; single: boolean } {
    const bracketed = parser.takeOperator('(');
    const names = [parser.expectAnyName()];
    let single = true;
    while (parser.takeOperator(',')) {
      single = false;
      if (parser.peek()?.kind !== 'name' || parser.isName('in')) break;
      names.push(parser.expectAnyName());
    }
    if (bracketed) parser.expectOperator(')');
    return { names, single };
  }
}
