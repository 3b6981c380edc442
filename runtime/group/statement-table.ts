import { MAX_STATEMENT_TABLE_BYTES, MAX_STATEMENTS, MAX_STATEMENTS_PER_ISSUER } from './group-defaults.ts';
import type { Revocations } from './revocations.ts';
import { type Statement, slotOf } from './statement.ts';

/** The statements held of one group, one a slot, within their bounds. */
export class StatementTable {
  readonly #held = new Map<string, Statement>();

  get size(): number {
    return this.#held.size;
  }

  get(slot: string): Statement | undefined {
    return this.#held.get(slot);
  }

  values(): Iterable<Statement> {
    return this.#held.values();
  }

  set(statement: Statement): void {
    this.#held.set(slotOf(statement), statement);
  }

  delete(statement: Statement): void {
    this.#held.delete(slotOf(statement));
  }

  /**
   * What has to go for a statement: what ran out first, then what has no effect, then what matters less than it does.
   * Undefined when it matters least itself.
   */
  roomFor(statement: Statement, revocations: Revocations, nowMs: number): Statement[] | undefined {
    const slot = slotOf(statement);
    const rank = (one: Statement): number => rankOf(one, revocations, nowMs);
    const others = [...this.#held.values()].filter((one) => slotOf(one) !== slot).sort((a, b) => rank(a) - rank(b));
    const own = rank(statement);
    let left = others.length;
    let ofIssuer = 0;
    let bytes = statement.encoded.length;
    for (const { issuer, encoded } of others) {
      bytes += encoded.length;
      if (issuer === statement.issuer) ofIssuer++;
    }
    const gone: Statement[] = [];
    for (const one of others) {
      const isFull = left >= MAX_STATEMENTS || bytes > MAX_STATEMENT_TABLE_BYTES;
      const same = one.issuer === statement.issuer;
      if (!isFull && ofIssuer < MAX_STATEMENTS_PER_ISSUER) break;
      if (rank(one) >= own || !(isFull || same)) continue;
      gone.push(one);
      left--;
      bytes -= one.encoded.length;
      if (same) ofIssuer--;
    }
    const fits = left < MAX_STATEMENTS && bytes <= MAX_STATEMENT_TABLE_BYTES && ofIssuer < MAX_STATEMENTS_PER_ISSUER;
    return fits ? gone : undefined;
  }
}

/** Higher: matters more. The nearer an issuer is to the authority, the more its revocations matter. */
function rankOf(statement: Statement, revocations: Revocations, nowMs: number): number {
  const { type, untilMs, issuerChain } = statement;
  if (type === 'charter') return 9;
  if (untilMs <= nowMs) return 0;
  if (revocations.voids(issuerChain)) return 1;
  return type === 'revocations' ? 8 - issuerChain.length : 2;
}
