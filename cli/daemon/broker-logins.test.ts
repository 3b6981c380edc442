import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { brokerLogins, brokersFileOf } from './broker-logins.ts';

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'pipevine-brokers-'));
});
afterEach(() => rmSync(home, { recursive: true }));

function write(text: string, mode = 0o600): string {
  const file = brokersFileOf(home);
  writeFileSync(file, text, { mode });
  chmodSync(file, mode);
  return file;
}

it('reads a login for each broker, and the certificate beside the file', () => {
  writeFileSync(join(home, 'ca.pem'), 'PEM');
  const file = write('{"mqtts://h:8883": {"username": "ann", "password": "s", "ca": "ca.pem"}, "mqtt://i": {}}');
  expect([...brokerLogins(file)]).toEqual([
    ['mqtts://h:8883', { username: 'ann', password: 's', ca: 'PEM' }],
    ['mqtt://i', {}],
  ]);
});

it('needs no file', () => {
  expect(brokerLogins(brokersFileOf(home)).size).toBe(0);
});

it('refuses a file that others can read, saying what to do', () => {
  expect(() => brokerLogins(write('{}', 0o640))).toThrow(/open to others \(mode 640\).*chmod 600/);
});

it.each([
  ['{', 'brokers.json: '],
  ['[]', 'it is no object'],
  ['{"mqtt://h": "ann"}', '"mqtt://h" has no object'],
  ['{"mqtt://h": {"pasword": "s"}}', 'has "pasword"; known are username, password, ca'],
  ['{"mqtt://h": {"password": 5}}', '"password" of "mqtt://h" is no text'],
  ['{"mqtt://h": {"ca": "none.pem"}}', 'cannot be read (ENOENT)'],
  [' '.repeat(70_000), 'larger than 65536 bytes'],
])('names what is wrong in %.30j', (text, message) => {
  expect(() => brokerLogins(write(text))).toThrow(message);
});
