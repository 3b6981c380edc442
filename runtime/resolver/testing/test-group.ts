import { nodeCrypto, seededRandom } from '@pipevine/transports';
import { decodeCose, signCose, verifyCose } from '../../advertisement/cose-sign1.ts';
import { PipevineError } from '../../error/pipevine-error.ts';
import type { Credential, GroupDirectory } from '../../group/group-access.ts';
import { type GroupId, groupIdFromBytes } from '../../id/group-id.ts';
import type { PeerId } from '../../id/peer-id.ts';
import type { Clock } from '../../platform/clock.ts';

const DOMAIN = 'test credential';

/**
 * A group whose credentials are one signature of its authority over a line of text: for tests of what uses credentials
 * without being about them.
 */
export class TestGroup {
  readonly group: GroupId;
  readonly revoked = new Set<PeerId>();
  readonly #clock: Clock;
  readonly #authority;
  readonly #credentials = new Map<PeerId, Uint8Array>();

  constructor(clock: Clock, name = 'test group') {
    this.#clock = clock;
    this.#authority = nodeCrypto.signingKey(seededRandom(name).bytes(32));
    this.group = groupIdFromBytes(this.#authority.publicKey);
  }

  admit(peer: PeerId, roles: readonly string[] = ['member'], notAfterMs = 1e15): void {
    const text = JSON.stringify([peer, roles, notAfterMs]);
    this.#credentials.set(peer, signCose(this.#authority, DOMAIN, new TextEncoder().encode(text)));
  }

  /** As one member sees the group; with `stale`, one that has not heard of revocations. */
  directory(stale = false): GroupDirectory {
    const access = {
      group: this.group,
      credentialOf: (peer: PeerId): Uint8Array => {
        const credential = this.#credentials.get(peer);
        if (credential === undefined) throw new PipevineError('refused', 'No member.');
        return credential;
      },
      verify: (subject: PeerId, encoded: Uint8Array): Credential => this.#verify(subject, encoded, stale),
    };
    return { access: (group) => (group === this.group ? access : undefined) };
  }

  #verify(subject: PeerId, encoded: Uint8Array, stale: boolean): Credential {
    if (encoded.length === 0) throw new PipevineError('refused', 'No credential was shown.');
    const cose = decodeCose(encoded, 'A test credential', 2_048);
    verifyCose(nodeCrypto, DOMAIN, cose, 'A test credential');
    // Nothing else is signed in this domain.
    const [owner, roles, notAfterMs] = JSON.parse(new TextDecoder().decode(cose.payload)) as [PeerId, string[], number];
    if (groupIdFromBytes(cose.signer) !== this.group) throw new PipevineError('refused', 'Of another group.');
    if (owner !== subject) throw new PipevineError('refused', 'Of another peer.');
    if (!stale && this.revoked.has(subject)) throw new PipevineError('revoked', 'Revoked.');
    if (notAfterMs <= this.#clock.wallMs()) throw new PipevineError('expired', 'Expired.');
    const { group } = this;
    return {
      group,
      subject,
      roles,
      capabilities: [],
      notBeforeMs: 0,
      notAfterMs,
      serial: subject,
      version: 0,
      encoded: encoded.slice(),
    };
  }
}
