import { describe, expect, it } from 'vitest';
import { answerQuery } from './dns-sd-answer.ts';
import { inspectDnsHeader } from './dns-sd-guard.ts';
import { allRecords, instanceLabel, serviceRecords } from './dns-sd-records.ts';

const records = serviceRecords(
  { type: '_pipevine._tcp', name: 'Kitchen', port: 4001, text: { id: 'abc', v: '1' } },
  'pipevine-12',
  [
    { address: '192.168.1.5', family: 'IPv4' },
    { address: 'fe80::5', family: 'IPv6' },
  ],
);
const types = (answer: ReturnType<typeof answerQuery>) => ({
  answers: answer?.answers.map(({ type }) => type),
  additionals: answer?.additionals.map(({ type }) => type),
});

describe('answers', () => {
  it('name the instance, and say in the same packet where it is', () => {
    const answer = answerQuery({ questions: [{ name: '_PIPEVINE._tcp.local', type: 'PTR' }] }, records);
    expect(types(answer)).toEqual({ answers: ['PTR'], additionals: ['SRV', 'TXT', 'A', 'AAAA'] });
    expect(answer?.answers[0]?.data).toBe('Kitchen._pipevine._tcp.local');
  });

  it('name the type when all types are asked for', () => {
    const answer = answerQuery({ questions: [{ name: '_services._dns-sd._udp.local', type: 'PTR' }] }, records);
    expect(answer?.answers.map(({ data }) => data)).toEqual(['_pipevine._tcp.local']);
  });

  it('give the address with the service, and the address alone', () => {
    const instance = 'kitchen._pipevine._tcp.local';
    expect(types(answerQuery({ questions: [{ name: instance, type: 'SRV' }] }, records))).toEqual({
      answers: ['SRV'],
      additionals: ['A', 'AAAA'],
    });
    expect(types(answerQuery({ questions: [{ name: 'pipevine-12.local', type: 'A' }] }, records)).answers).toEqual([
      'A',
    ]);
    expect(types(answerQuery({ questions: [{ name: instance, type: 'ANY' }] }, records)).answers).toEqual([
      'SRV',
      'TXT',
    ]);
  });

  it('say nothing to questions about others', () => {
    for (const name of ['_http._tcp.local', 'local', '', 'x._pipevine._tcp.local', 'pipevine-13.local']) {
      expect(answerQuery({ questions: [{ name, type: 'ANY' }] }, records)).toBeUndefined();
    }
    expect(answerQuery({ questions: [{ name: '_pipevine._tcp.local', type: 'A' }] }, records)).toBeUndefined();
    expect(answerQuery({}, records)).toBeUndefined();
  });

  it('never have a record twice, however often it is asked for', () => {
    const questions = Array.from({ length: 32 }, () => ({ name: '_pipevine._tcp.local', type: 'ANY' }));
    const answer = answerQuery({ questions }, records);
    expect([...(answer?.answers ?? []), ...(answer?.additionals ?? [])]).toHaveLength(5);
  });

  it('leave out a pointer that the asker knows for at least half its lifetime', () => {
    const query = (ttl: number, data: unknown) => ({
      questions: [{ name: '_pipevine._tcp.local', type: 'PTR' }],
      answers: [{ name: '_pipevine._tcp.local', type: 'PTR', ttl, data }],
    });
    expect(answerQuery(query(2250, 'kitchen._pipevine._tcp.local'), records)).toBeUndefined();
    expect(answerQuery(query(2249, 'Kitchen._pipevine._tcp.local'), records)).toBeDefined();
    expect(answerQuery(query(4500, 'Other._pipevine._tcp.local'), records)).toBeDefined();
    expect(answerQuery(query(4500, 5), records)).toBeDefined();
  });
});

describe('records', () => {
  it('flush caches only where no other host has the same name', () => {
    expect(allRecords(records).map(({ type, flush }) => [type, flush])).toEqual([
      ['PTR', false],
      ['PTR', false],
      ['SRV', true],
      ['TXT', true],
      ['A', true],
      ['AAAA', true],
    ]);
  });

  it('fit long names and names with dots into one label', () => {
    expect(instanceLabel('a.b')).toBe('a-b');
    expect(instanceLabel('')).toBe('pipevine');
    expect(instanceLabel('é'.repeat(40))).toBe('é'.repeat(31));
  });

  it('leave out text that does not fit, and never have an empty TXT', () => {
    const text = (entries: Record<string, string>) =>
      serviceRecords({ type: '_x._tcp', name: 'n', port: 1, text: entries }, 'h', []).text.data;
    expect(text({ long: 'x'.repeat(251), short: 'y' })).toEqual(['short=y']);
    expect(text({})).toEqual(['']);
  });
});

describe('the look at the header', () => {
  const header = (flags: number, counts: number[], length = 12): Uint8Array => {
    const bytes = Buffer.alloc(length);
    bytes.writeUInt16BE(flags, 2);
    counts.forEach((count, index) => {
      bytes.writeUInt16BE(count, 4 + 2 * index);
    });
    return bytes;
  };

  it('tells queries from responses', () => {
    expect(inspectDnsHeader(header(0, [1, 0, 0, 0], 17))).toBe('query');
    expect(inspectDnsHeader(header(0x8400, [0, 1, 0, 0], 23))).toBe('response');
  });

  it.each([
    ['shorter than a header', header(0, [], 11)],
    ['longer than any', header(0, [], 9001)],
    ['of another operation', header(0x2800, [1], 17)],
    ['promising more questions than it has room for', header(0, [2], 17)],
    ['promising 65,535 records in 12 bytes', header(0, [0xffff, 0xffff, 0xffff, 0xffff])],
    ['with more questions than anybody asks', header(0, [33], 9000)],
    ['with more records than anybody knows', header(0, [1, 60, 3, 2], 9000)],
  ])('refuses a message %s', (_what, bytes) => {
    expect(inspectDnsHeader(bytes)).toBe('malformed');
  });
});
