import type { LruCache } from '../bound/lru-cache.ts';
import { TokenBucket } from '../bound/token-bucket.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { type GroupId, shortGroupId } from '../id/group-id.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import type { Clock } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Storage, StorageChange } from '../platform/storage.ts';
import { type Charter, charterOf } from './charter.ts';
import { type CredentialExpectation, checkCredential } from './credential-check.ts';
import type { CredentialChain } from './credential-codec.ts';
import type { Credential } from './group-access.ts';
import { STATEMENT_BURST, STATEMENTS_PER_SECOND } from './group-defaults.ts';
import { statementChange } from './group-record.ts';
import { Revocations } from './revocations.ts';
import { type Statement, slotOf } from './statement.ts';
import { checkStatement, type IssuerChain, toStatement } from './statement-check.ts';
import { readStatement, STATEMENT_TYPES, type StatementForm, verifyStatement } from './statement-codec.ts';
import { StatementTable } from './statement-table.ts';

export interface GroupStatementsInit {
  readonly group: GroupId;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly crypto: Crypto;
  /** This peer: what it says itself is not held to a rate. */
  readonly localPeer: PeerId;
  /** How fast each issuer's come, for all groups together. */
  readonly rates: LruCache<TokenBucket>;
  /** Wall clock, ms since 1970, as far as the group believes it. */
  nowMs(): number;
  /** A credential whose signatures hold, and those above it. Throws. */
  chainOf(encoded: Uint8Array): CredentialChain;
  onKept(statement: Statement, from: PeerId | undefined): void;
}

/** What a member holds of a group: its charter, who is revoked, and all else that is stated. */
export class GroupStatements {
  readonly #init: GroupStatementsInit;
  readonly #table = new StatementTable();
  #charter: Charter | undefined;
  #revocations = new Revocations([]);
  #dropped = 0;
  #closed = false;
  /** The change that is under way: they are made one by one, each seeing what the one before it left. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(init: GroupStatementsInit) {
    this.#init = init;
  }

  get charter(): Charter | undefined {
    return this.#charter;
  }

  get revocations(): Revocations {
    return this.#revocations;
  }

  get size(): number {
    return this.#table.size;
  }

  get dropped(): number {
    return this.#dropped;
  }

  /** Those that have not run out, by type. */
  list(): Statement[] {
    const nowMs = this.#init.nowMs();
    return sorted([...this.#table.values()].filter(({ untilMs }) => untilMs > nowMs));
  }

  get(slot: string): Statement | undefined {
    return this.#table.get(slot);
  }

  /** Stores or removes all that is held. */
  changes(action: 'store' | 'remove'): StorageChange[] {
    return [...this.#table.values()].map((one) => statementChange(one, action));
  }

  /** Takes in what was checked when it was stored; time and revocation are for where it is used. */
  restore(encoded: Uint8Array): void {
    const form = readStatement(encoded);
    this.#apply(toStatement(form, this.#proven(form)));
  }

  /** Takes in statements that whoever calls will store, those of a group that is just joined. Throws as `receive` does. */
  adopt(all: readonly Uint8Array[]): void {
    for (const form of sorted(all.map((one) => this.#read(one)))) {
      if (!this.#isKnown(form)) tolerate(() => this.#apply(this.#open(form)));
    }
  }

  /** False when an equal or newer one is held. Rejects as Groups.receive does. */
  async receive(encoded: Uint8Array, from?: PeerId): Promise<boolean> {
    const form = this.#read(encoded);
    if (this.#isKnown(form)) return false;
    const statement = this.#open(form);
    return this.exclusive(async () => {
      if (this.#isKnown(form)) return false;
      await this.#keep(statement, from);
      return true;
    });
  }

  /** The same for one that is made here, when its turn comes. */
  publish(make: () => StatementForm): Promise<Statement> {
    return this.exclusive(() => this.#keep(this.#open(make()), undefined));
  }

  /** Throws `refused`, `expired` or `revoked`; returns the member's own credential. */
  check(chain: CredentialChain, subject: PeerId, nowMs: number, graceMs = 0): Credential {
    return checkCredential(chain, { ...this.#expected(nowMs), subject, graceMs });
  }

  /** Lets nothing else change until the action is over. Rejects with `not-found` after the end. */
  exclusive<T>(action: () => Promise<T>): Promise<T> {
    const run = this.#turn.then(() => {
      if (!this.#closed) return action();
      const group = shortGroupId(this.#init.group);
      throw new PipevineError('not-found', `This peer is no member of group ${group} any more; join it first.`);
    });
    this.#turn = run.catch(() => undefined);
    return run;
  }

  /** The group is left. */
  close(): void {
    this.#closed = true;
  }

  #expected(nowMs: number): Omit<CredentialExpectation, 'subject'> {
    return {
      group: this.#init.group,
      nowMs,
      charterSequence: this.#charter?.sequence,
      isRevoked: (serial, version, depth) => this.#revocations.isRevoked(serial, version, depth),
    };
  }

  #isKnown(form: StatementForm): boolean {
    return (this.#table.get(slotOf(form))?.sequence ?? -1) >= form.sequence;
  }

  #read(encoded: Uint8Array): StatementForm {
    const form = readStatement(encoded.slice());
    if (form.group === this.#init.group) return form;
    throw new PipevineError('refused', `A statement of group ${shortGroupId(form.group)} came in another group.`);
  }

  /** Checks a statement, signatures first. */
  #open(form: StatementForm): Statement {
    const expected = { ...this.#expected(this.#init.nowMs()), charter: this.#charter };
    return checkStatement(form, this.#proven(form), expected);
  }

  /** The issuer's chain of a statement whose signatures hold. */
  #proven(form: StatementForm): IssuerChain {
    verifyStatement(this.#init.crypto, form);
    return form.credential === undefined ? [] : this.#init.chainOf(form.credential);
  }

  /** Stores a statement that was checked, and removes what goes for it. */
  async #keep(statement: Statement, from: PeerId | undefined): Promise<Statement> {
    const { localPeer, storage, onKept } = this.#init;
    const nowMs = this.#init.nowMs();
    const isOwn = from === undefined && statement.issuer === localPeer;
    if (!isOwn && statement.issuerChain.length > 0) this.#checkRate(statement);
    const gone = this.#table.roomFor(statement, this.#revocations, nowMs);
    if (gone === undefined) {
      this.#dropped++;
      throw new PipevineError('overloaded', 'The group has too many statements for another; wait until some run out.');
    }
    const slot = slotOf(statement);
    const rest = [...this.#table.values()].filter((one) => !gone.includes(one) && slotOf(one) !== slot);
    const revocations = isList(statement) ? revocationsOf([...rest, statement]) : this.#revocations;
    for (const one of rest) {
      const isPaper = one.type === 'application' || one.type === 'approval';
      if (isPaper && (one.untilMs <= nowMs || revocations.voids(one.issuerChain))) gone.push(one);
    }
    await storage.commit([statementChange(statement, 'store'), ...gone.map((one) => statementChange(one, 'remove'))]);
    this.#dropped += gone.length;
    for (const one of gone) this.#table.delete(one);
    this.#apply(statement, revocations);
    onKept(statement, from);
    return statement;
  }

  /** Makes a statement count. */
  #apply(statement: Statement, revocations?: Revocations): void {
    this.#table.set(statement);
    if (statement.type === 'charter') this.#charter = charterOf({ ...statement, credential: undefined });
    if (isList(statement)) this.#revocations = revocations ?? revocationsOf(this.#table.values());
  }

  #checkRate({ group, issuer }: Statement): void {
    const { clock, rates } = this.#init;
    const nowMs = clock.monotonicMs();
    const name = `${group} ${issuer}`;
    const rate = rates.get(name) ?? new TokenBucket(STATEMENT_BURST, STATEMENTS_PER_SECOND, nowMs);
    rates.set(name, rate, 1);
    if (rate.take(nowMs)) return;
    this.#dropped++;
    throw new PipevineError('overloaded', `Peer ${shortPeerId(issuer)} makes statements faster than they are taken.`);
  }
}

/** What ran out is no reason not to be a member. */
function tolerate(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof PipevineError) || error.code !== 'expired') throw error;
  }
}

function isList({ type }: Statement): boolean {
  return type === 'revocations';
}

function revocationsOf(statements: Iterable<Statement>): Revocations {
  return new Revocations([...statements].filter(isList));
}

/** Charters before what they allow. */
function sorted<T extends Pick<Statement, 'type'>>(statements: T[]): T[] {
  return statements.sort((a, b) => STATEMENT_TYPES.indexOf(a.type) - STATEMENT_TYPES.indexOf(b.type));
}
