import { expect, it } from 'vitest';
import { Log } from './log.ts';

it.each([
  [false, '1970-01-01T00:00:00.000Z info  joined a\ufffd[2J b\ufffd\n'],
  [true, '{"time":"1970-01-01T00:00:00.000Z","level":"info","message":"joined a\\u001b[2J\\n b\\u202e"}\n'],
])('shows what others wrote on one line, and obeys none of it (json: %s)', (json, expected) => {
  let text = '';
  const write = (line: string) => {
    text += line;
  };
  new Log({ level: 'info', json, colour: false, write, now: () => new Date(0) }).info('joined a\u001b[2J\n b\u202e');
  expect(text).toBe(expected);
});
