import { may } from '../group/capability.ts';
import { type EpochContent, readEpochContent } from '../group/epoch-content.ts';
import type { Credential } from '../group/group-access.ts';
import type { Groups } from '../group/groups.ts';
import type { Statement } from '../group/statement.ts';
import { base32Encode } from '../id/base32.ts';
import type { GroupId } from '../id/group-id.ts';
import { type PeerId, peerIdToBytes } from '../id/peer-id.ts';
import { KEY_ID_BYTES } from './propagate-codec.ts';

/** A key of the group that an administrator has announced. */
export interface Epoch extends EpochContent {
  readonly issuer: PeerId;
  /** Base32 of the first bytes of the key's hash. */
  readonly keyId: string;
  readonly statement: Statement;
}

export type EpochRank = Pick<Epoch, 'number' | 'issuer'>;

/** Which epochs a group has, as far as its statements are held here. */
export class EpochView {
  readonly #group: GroupId;
  readonly #groups: Pick<Groups, 'statements' | 'isRevoked'>;
  #epochs: readonly Epoch[] | undefined;
  #lists: ReadonlyMap<PeerId, number> = new Map();

  constructor(group: GroupId, groups: Pick<Groups, 'statements' | 'isRevoked'>) {
    this.#group = group;
    this.#groups = groups;
  }

  /** Whatever is stated in the group has changed. */
  changed(): void {
    this.#epochs = undefined;
  }

  /** Those of administrators that are not revoked, the one that counts first. */
  get all(): readonly Epoch[] {
    if (this.#epochs !== undefined) return this.#epochs;
    const statements = this.#groups.statements(this.#group).filter(({ issuerChain }) => !this.#isVoid(issuerChain));
    const lists = statements.filter(({ type }) => type === 'revocations');
    this.#lists = new Map(lists.map(({ issuer, sequence }) => [issuer, sequence]));
    this.#epochs = statements
      .filter(({ type }) => type === 'epoch')
      .map(toEpoch)
      .sort((a, b) => compareEpochs(b, a));
    return this.#epochs;
  }

  get current(): Epoch | undefined {
    return this.all[0];
  }

  /** Sequences of the revocation lists that count, by issuer. */
  get lists(): ReadonlyMap<PeerId, number> {
    return this.all && this.#lists;
  }

  /** Whether somebody was revoked since the epoch began: it may know the key. */
  isStale({ after }: Epoch): boolean {
    return [...this.lists].some(([issuer, sequence]) => (after.get(issuer) ?? -1) < sequence);
  }

  /** Whether all revocations before the epoch are known here: only then it is known who may have its key. */
  isInformed({ after }: Epoch): boolean {
    return [...after].every(([issuer, sequence]) => (this.lists.get(issuer) ?? -1) >= sequence);
  }

  #isVoid(chain: readonly Credential[]): boolean {
    return chain.some((credential, index) => {
      const depth = may(credential, 'administer') ? chain.length - index : undefined;
      return this.#groups.isRevoked(this.#group, credential.serial, credential.version, depth);
    });
  }
}

/** Positive when `a` counts before `b`: the higher number, of equal ones that of the issuer with the greater id, by its bytes. */
export function compareEpochs(a: EpochRank, b: EpochRank): number {
  if (a.number !== b.number) return a.number - b.number;
  const other = peerIdToBytes(b.issuer);
  for (const [at, byte] of peerIdToBytes(a.issuer).entries()) {
    const difference = byte - (other[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

export function keyIdOf(keyHash: Uint8Array): string {
  return base32Encode(keyHash.subarray(0, KEY_ID_BYTES));
}

function toEpoch(statement: Statement): Epoch {
  const content = readEpochContent(statement.content);
  return { ...content, issuer: statement.issuer, keyId: keyIdOf(content.keyHash), statement };
}
