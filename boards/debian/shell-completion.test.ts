import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { commandsOf } from './command-list.ts';
import { manPage } from './man-page.ts';
import { bashCompletion, zshCompletion } from './shell-completion.ts';

const HELP = `Usage: pipevine COMMAND

  up                   run a peer until Ctrl-C
  invoke THING [IN]    call an action's code
  pipe send NAME       send each line
  help [COMMAND]       show this

Options of every command:
  --home DIR  folder
`;
const commands = commandsOf(HELP);

it('reads the commands of a help text, and no options', () => {
  expect(commands).toEqual([
    { name: 'up', usage: 'up', description: 'run a peer until Ctrl-C' },
    { name: 'invoke', usage: 'invoke THING [IN]', description: "call an action's code" },
    { name: 'pipe send', usage: 'pipe send NAME', description: 'send each line' },
    { name: 'help', usage: 'help [COMMAND]', description: 'show this' },
  ]);
});

it.each([
  [['in'], 'invoke'],
  [['pipe', ''], 'send'],
  [['help', 'p'], 'pipe'],
  [['pipe', 'send', '--ki'], '--kind'],
])('bash completes %j to %s', (words, expected) => {
  const folder = mkdtempSync(join(tmpdir(), 'pipevine-completion-'));
  try {
    // Stands in for the program, which is asked for the options of a command.
    writeFileSync(
      join(folder, 'pipevine'),
      '#!/bin/sh\n[ "$*" = "help pipe send" ] && echo "  --kind KIND  of the pipe"\n',
    );
    chmodSync(join(folder, 'pipevine'), 0o755);
    const script = `${bashCompletion(commands)}
COMP_WORDS=(pipevine "$@"); COMP_CWORD=$#; _pipevine; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const found = execFileSync('bash', ['-c', script, 'bash', ...words], {
      encoding: 'utf8',
      env: { ...process.env, PATH: `${folder}:${process.env.PATH}` },
    });
    expect(found.trim().split('\n')).toContain(expected);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('zsh and man get every command, with what would break their quoting escaped', () => {
  expect(zshCompletion(commands)).toContain("'invoke:call an action'\\''s code'");
  const page = manPage(commands, '0.1.0', 0);
  expect(page).toContain('.TH PIPEVINE 1 "1970-01-01"');
  expect(page).toContain("call an action's code");
  expect(page).toContain('run a peer until Ctrl\\-C');
});
