/**
 * Looks at the header of a DNS message (RFC 1035, section 4.1.1) before anything is decoded.
 *
 *     offset 0   id
 *            2   flags: QR (response) in the highest bit, opcode in the next four
 *            4   number of questions, 6 of answers, 8 of authorities, 10 of additionals
 *
 * The decoder allocates what the counts promise, so a packet of 12 bytes can ask for 262,140 records.
 */
export type DnsVerdict = 'query' | 'response' | 'malformed';

const HEADER_BYTES = 12;
/** Largest message over multicast (RFC 6762, section 17), and more than an ordinary browser ever asks. */
const MAX_BYTES = 9000;
const MAX_QUESTIONS = 32;
/** Known answers of a large browser fit; a list longer than this is of no use to one service. */
const MAX_RECORDS = 64;
/** A root name, or a pointer, and the fixed fields. */
const MIN_QUESTION_BYTES = 5;
const MIN_RECORD_BYTES = 11;

export function inspectDnsHeader(bytes: Uint8Array): DnsVerdict {
  if (bytes.length < HEADER_BYTES || bytes.length > MAX_BYTES) return 'malformed';
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const flags = view.getUint16(2);
  if ((flags & 0x7800) !== 0) return 'malformed';
  const questions = view.getUint16(4);
  const records = view.getUint16(6) + view.getUint16(8) + view.getUint16(10);
  const leastBytes = HEADER_BYTES + questions * MIN_QUESTION_BYTES + records * MIN_RECORD_BYTES;
  if (questions > MAX_QUESTIONS || records > MAX_RECORDS || leastBytes > bytes.length) return 'malformed';
  return (flags & 0x8000) !== 0 ? 'response' : 'query';
}
