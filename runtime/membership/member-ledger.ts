/**
 * The members that an administrator has admitted, in table `member-ledger` under `GROUP SERIAL` (base32 both):
 * `{1: group, 2: subject, 3: name, 4: [* role], 5: [* capability], 6: version, 7: notAfterMs, 8: how, 9: credential}`.
 */
import type { Credential } from '../group/group-access.ts';
import { groupKey } from '../group/group-record.ts';
import { type GroupId, groupIdFromBytes, groupIdToBytes } from '../id/group-id.ts';
import { type PeerId, peerIdFromBytes, peerIdToBytes } from '../id/peer-id.ts';
import type { Storage, StorageChange } from '../platform/storage.ts';
import { decodeStrict } from '../wire/decode.ts';
import { type CborInput, encodeCanonical } from '../wire/encode.ts';
import { type MapReader, readMap, readText } from '../wire/shape.ts';
import { MAX_LEDGER_ENTRIES } from './membership-defaults.ts';

const TABLE = 'member-ledger';
const WHAT = 'A stored member';

/** By what a peer became a member. */
export const ADMITTED_BY = ['open', 'code', 'password', 'approval', 'renewal', 'grant'] as const;
export type AdmittedBy = (typeof ADMITTED_BY)[number];

export interface LedgerEntry
  extends Pick<Credential, 'group' | 'subject' | 'roles' | 'capabilities' | 'serial' | 'version' | 'notAfterMs'> {
  /** What the member called itself; empty when it never said. */
  readonly name: string;
  readonly by: AdmittedBy;
}

/** Every credential that this administrator has issued, the latest of each serial: for lists, and to revoke who is away. */
export class MemberLedger {
  readonly #storage: Storage;
  /** By key in the table; the one written longest ago first. */
  readonly #entries = new Map<string, LedgerEntry>();
  #dropped = 0;

  constructor(storage: Storage) {
    this.#storage = storage;
    const stored = [...storage.scan(TABLE)].map(([key, value]) => [key, decode(key, value)] as const);
    for (const [key, entry] of stored.sort(([, a], [, b]) => a.notAfterMs - b.notAfterMs))
      this.#entries.set(key, entry);
  }

  /** Makes an issued credential durable, with other changes of the same commit; resolves when it may be handed out. */
  async record(
    credential: Credential,
    about: Pick<LedgerEntry, 'name' | 'by'>,
    changes: readonly StorageChange[] = [],
  ) {
    const { group, subject, roles, capabilities, serial, version, notAfterMs } = credential;
    const key = `${groupKey(group)} ${serial}`;
    const before = this.#entries.get(key);
    const name = about.name === '' ? (before?.name ?? '') : about.name;
    const by = about.by === 'renewal' ? (before?.by ?? 'renewal') : about.by;
    const entry: LedgerEntry = { group, subject, roles, capabilities, serial, version, notAfterMs, name, by };
    const [oldest] = this.#entries.keys();
    const gone = before === undefined && this.#entries.size >= MAX_LEDGER_ENTRIES ? oldest : undefined;
    await this.#storage.commit([
      ...changes,
      { table: TABLE, key, value: encode(entry, credential.encoded) },
      ...(gone === undefined ? [] : [{ table: TABLE, key: gone, value: undefined }]),
    ]);
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (gone !== undefined && this.#entries.delete(gone)) this.#dropped++;
  }

  list(group: GroupId): LedgerEntry[] {
    return [...this.#entries.values()].filter((entry) => entry.group === group);
  }

  find(group: GroupId, serial: string): LedgerEntry | undefined {
    return this.#entries.get(`${groupKey(group)} ${serial}`);
  }

  /** The latest membership of a peer. */
  ofPeer(group: GroupId, peer: PeerId): LedgerEntry | undefined {
    return this.list(group).findLast(({ subject }) => subject === peer);
  }

  /** The credential of a membership as it was issued last. Throws `malformed`. */
  credential({ group, serial }: Pick<LedgerEntry, 'group' | 'serial'>): Uint8Array | undefined {
    const value = this.#storage.get(TABLE, `${groupKey(group)} ${serial}`);
    return value && readMap(decodeStrict(value), WHAT).bytes(9, 'credential');
  }

  /** Forgets a membership, or all of a group. */
  async remove(group: GroupId, serial = ''): Promise<void> {
    const prefix = `${groupKey(group)} ${serial}`;
    const keys = [...this.#entries.keys()].filter((key) => key.startsWith(prefix));
    if (keys.length === 0) return;
    await this.#storage.commit(keys.map((key) => ({ table: TABLE, key, value: undefined })));
    for (const key of keys) this.#entries.delete(key);
  }

  get status(): { readonly used: number; readonly limit: number; readonly dropped: number } {
    return { used: this.#entries.size, limit: MAX_LEDGER_ENTRIES, dropped: this.#dropped };
  }
}

function encode(entry: LedgerEntry, credential: Uint8Array): Uint8Array {
  return encodeCanonical(
    new Map<number, CborInput>([
      [1, groupIdToBytes(entry.group)],
      [2, peerIdToBytes(entry.subject)],
      [3, entry.name],
      [4, entry.roles],
      [5, entry.capabilities],
      [6, entry.version],
      [7, entry.notAfterMs],
      [8, ADMITTED_BY.indexOf(entry.by)],
      [9, credential],
    ]),
  );
}

/** Throws `malformed`. */
function decode(key: string, bytes: Uint8Array): LedgerEntry {
  const reader = readMap(decodeStrict(bytes), WHAT);
  return {
    group: groupIdFromBytes(reader.bytes(1, 'group', { length: 32 })),
    subject: peerIdFromBytes(reader.bytes(2, 'subject', { length: 32 })),
    name: reader.text(3, 'name'),
    roles: texts(reader, 4, 'roles'),
    capabilities: texts(reader, 5, 'capabilities'),
    serial: key.slice(key.indexOf(' ') + 1),
    version: reader.integer(6, 'version'),
    notAfterMs: reader.integer(7, 'notAfterMs'),
    by: ADMITTED_BY[reader.integer(8, 'how')] ?? 'renewal',
  };
}

function texts(reader: MapReader, key: number, name: string): string[] {
  return reader.array(key, name).map((each) => readText(each, name));
}
