import type { ListedCommand } from './command-list.ts';

/** pipevine(1), as man(7) source. `timeSeconds` is its date. */
export function manPage(commands: readonly ListedCommand[], version: string, timeSeconds: number): string {
  const date = new Date(timeSeconds * 1_000).toISOString().slice(0, 10);
  const listed = commands.flatMap(({ usage, description }) => ['.TP', `.B ${roff(usage)}`, roff(description)]);
  const files = [
    ['/etc/pipevine/pipevine.yaml', 'configuration of the service'],
    ['/etc/pipevine/pipevine.env', 'variables of the service, for secrets such as PIPEVINE_MQTT_PASSWORD'],
    ['/var/lib/pipevine', 'identity and data of the service'],
    ['~/.local/share/pipevine', 'identity, data and configuration of a peer that a person runs'],
  ].flatMap(([path = '', text = '']) => ['.TP', `.I ${roff(path)}`, roff(text)]);
  return [
    `.TH PIPEVINE 1 "${date}" "Pipevine ${version}" "User Commands"`,
    '.SH NAME',
    'pipevine \\- an overlay of peers for small devices and gateways',
    '.SH SYNOPSIS',
    '.B pipevine',
    '.I COMMAND',
    '[\\fIOPTIONS\\fR]',
    '.SH DESCRIPTION',
    roff(
      'pipevine up runs a peer; the service does so on boards. Every other command talks to the running peer over a local socket in its home folder. Commands for the peer of the service need its rights:',
    ),
    '.PP',
    '.RS',
    '.B sudo pipevine status',
    '.RE',
    '.PP',
    roff('pipevine help COMMAND explains a command with its options.'),
    '.SH COMMANDS',
    ...listed,
    '.SH EXIT STATUS',
    '0 done, 1 failed, 2 usage, 3 not found, 4 timed out, 5 refused.',
    '.SH FILES',
    ...files,
    '.SH SEE ALSO',
    '.BR systemctl (1),',
    '.BR journalctl (1)',
    '',
  ].join('\n');
}

/** Hyphens that a reader may copy, and lines that would begin with a control character. */
const roff = (text: string) =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/, '\\&$1');
