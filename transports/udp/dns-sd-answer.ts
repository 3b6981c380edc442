import { allRecords, type DnsRecord, type ServiceRecords } from './dns-sd-records.ts';

interface DnsQuestion {
  readonly name: string;
  readonly type: string;
}

interface KnownAnswer extends DnsQuestion {
  readonly ttl?: number | undefined;
  readonly data?: unknown;
}

/** The parts of a query that matter, as the DNS codec gives them. */
export interface DnsQuery {
  readonly questions?: readonly DnsQuestion[] | undefined;
  readonly answers?: readonly KnownAnswer[] | undefined;
}

export interface DnsAnswer {
  readonly answers: readonly DnsRecord[];
  /** What the asker will want to know next. */
  readonly additionals: readonly DnsRecord[];
}

/**
 * What to say to a query: each record at most once, however often it is asked for, so an answer is never larger than the
 * service's own records. Undefined: nothing. A pointer that the asker knows for at least half its lifetime is left out
 * (RFC 6762, section 7.1).
 */
export function answerQuery(query: DnsQuery, records: ServiceRecords): DnsAnswer | undefined {
  const own = allRecords(records);
  const answers = new Set<DnsRecord>();
  for (const { name, type } of query.questions ?? []) {
    for (const record of own) {
      if ((type === record.type || type === 'ANY') && sameName(name, record.name)) answers.add(record);
    }
  }
  for (const known of query.answers ?? []) {
    for (const record of answers) if (isKnown(known, record)) answers.delete(record);
  }
  if (answers.size === 0) return undefined;
  const additionals = new Set<DnsRecord>();
  if (answers.has(records.pointer)) {
    for (const record of [records.service, records.text, ...records.addresses]) additionals.add(record);
  }
  if (answers.has(records.service)) for (const record of records.addresses) additionals.add(record);
  return { answers: [...answers], additionals: [...additionals].filter((record) => !answers.has(record)) };
}

function isKnown(known: KnownAnswer, record: DnsRecord): boolean {
  return (
    record.type === 'PTR' &&
    known.type === 'PTR' &&
    typeof known.data === 'string' &&
    sameName(known.name, record.name) &&
    sameName(known.data, record.data) &&
    (known.ttl ?? 0) * 2 >= record.ttl
  );
}

/** Names are compared without regard to the case of ASCII letters. */
function sameName(a: string, b: string): boolean {
  return a.length === b.length && a.toLowerCase() === b.toLowerCase();
}
