import { expect, test } from 'vitest';
import { parsePasswordFile, passwordLine } from './password-file.ts';

test('the right password of a known user is accepted, everything else is not', async () => {
  const file = parsePasswordFile(`# users\n\n${await passwordLine('ann', 'sécret:1')}\r\n`);
  expect(file.users).toBe(1);
  expect(await file.authenticate('ann', 'sécret:1')).toBe(true);
  expect(await file.authenticate('ann', 'sécret:2')).toBe(false);
  expect(await file.authenticate('bob', 'sécret:1')).toBe(false);
  expect(await file.authenticate('ann', 'x'.repeat(2_000))).toBe(false);
});

test('the same password gives another line each time', async () => {
  expect(await passwordLine('ann', 'x')).not.toBe(await passwordLine('ann', 'x'));
});

test.each([
  ['a plain password', 'ann:secret'],
  ['a hash that is cut short', 'ann:$scrypt$AAAA$BBBB'],
  ['no user', ':$scrypt$AAAA$BBBB'],
])('%s is refused by its line, without showing it', (_name, line) => {
  expect(() => parsePasswordFile(`# one\n${line}`)).toThrow(/^MQTT password file, line 2: expected USER/);
});

test('a user that comes twice is refused', async () => {
  const line = await passwordLine('ann', 'x');
  expect(() => parsePasswordFile(`${line}\n${line}`)).toThrow(/line 2: this user comes twice/);
});

test.each(['', 'a:b', 'a\nb'])('the user name %j is refused', async (username) => {
  await expect(passwordLine(username, 'x')).rejects.toMatchObject({ code: 'invalid-argument' });
});
