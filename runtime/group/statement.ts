import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Credential } from './group-access.ts';
import type { RevocationEntry } from './revocation-list.ts';
import type { StatementType } from './statement-codec.ts';

/**
 * What every member of a group shall know, signed by who says it. Verified: whoever is named as its issuer may say such a
 * thing. Of two with the same type, issuer and key the one with the higher sequence counts.
 */
export interface Statement {
  readonly group: GroupId;
  readonly type: StatementType;
  readonly key: string;
  readonly sequence: number;
  /** Wall clock, ms since 1970. */
  readonly untilMs: number;
  readonly issuer: PeerId;
  /** As it stands in the statement; absent when the authority is the issuer. */
  readonly issuerCredential?: Credential;
  /** `issuerCredential` and those above it; empty for the authority. Its length is the issuer's distance from it. */
  readonly issuerChain: readonly Credential[];
  readonly content: Uint8Array;
  /** The content of one of type `revocations`, read; else empty. */
  readonly revocations: readonly RevocationEntry[];
  readonly encoded: Uint8Array;
}

/** What a newer statement takes the place of: equal for the same type, issuer and key. */
export function slotOf(statement: Pick<Statement, 'type' | 'issuer' | 'key'>): string {
  return `${statement.type} ${statement.issuer} ${statement.key}`;
}
