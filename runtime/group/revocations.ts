import { may } from './capability.ts';
import type { Credential } from './group-access.ts';
import { MAX_CREDENTIAL_CHAIN } from './group-defaults.ts';
import type { RevocationEntry } from './revocation-list.ts';

/** A list, and the credentials of who issued it: none when that is the authority. */
export interface IssuedRevocations {
  readonly issuerChain: readonly Credential[];
  readonly revocations: readonly RevocationEntry[];
}

/**
 * What a group's revocation lists come to together: the union of those that count. It depends on the set of lists alone,
 * not on the order in which they came. Lists are taken from the authority outwards; one counts unless a credential of its
 * issuer's chain is revoked by what is nearer to the authority than that credential. So of two administrators at the same
 * distance neither can revoke the other, and who is nearer wins.
 *
 * Times play no part: a clock that is set back or forth revives nobody.
 */
export class Revocations {
  /** By serial: for each distance of an issuer from the authority, the version below which credentials are void. */
  readonly #below = new Map<string, number[]>();

  constructor(lists: Iterable<IssuedRevocations>) {
    const all = [...lists];
    for (let depth = 0; depth <= MAX_CREDENTIAL_CHAIN; depth++) {
      for (const { issuerChain, revocations } of all) {
        if (issuerChain.length !== depth || this.voids(issuerChain)) continue;
        for (const entry of revocations) this.#add(entry, Math.max(depth, entry.depth));
      }
    }
  }

  /** `depth`: only issuers nearer to the authority than that count; undefined: all do. */
  isRevoked(serial: string, version: number, depth = Infinity): boolean {
    const below = this.#below.get(serial);
    return below?.some((limit, at) => at < depth && version < limit) ?? false;
  }

  /** Whether a credential of the chain is revoked; the first is the one farthest from the authority. */
  voids(chain: readonly Credential[]): boolean {
    return chain.some((credential, index) => {
      const depth = may(credential, 'administer') ? chain.length - index : undefined;
      return this.isRevoked(credential.serial, credential.version, depth);
    });
  }

  #add({ serial, below }: RevocationEntry, depth: number): void {
    const limits = this.#below.get(serial) ?? new Array<number>(MAX_CREDENTIAL_CHAIN + 1).fill(0);
    limits[depth] = Math.max(limits[depth] ?? 0, below);
    this.#below.set(serial, limits);
  }
}
